"""A view's partials made of `trades`, as they would be had cycles folded the view from the beginning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

import polars as pl

from twofold.clock import to_epoch_us
from twofold.decoding import TRADE_SCHEMA
from twofold.fold import empty_partials, fold, merge
from twofold.history import HistoryReader
from twofold.lake import Lake
from twofold.publication import Publication
from twofold.revisions import Revisions
from twofold.tables import TRADES
from twofold.taken_in import TakenIn, files_within
from twofold.view import View

FOLDED_AT_ONCE = 2_000_000
"""Trades of so many rows, about, are folded together."""

_DAY = timedelta(days=1)
_COLUMNS = TRADE_SCHEMA.names()


class TradeFold:
    """Folds the trades of a publication by a view. Memory is bounded by a day's partials and a part of its trades."""

    def __init__(self, lake: Lake, view: View, publication: Publication) -> None:
        self._lake = lake
        self._view = view
        self._publication = publication
        self._taken_in = TakenIn(lake, publication)
        history = HistoryReader(lake).up_to(publication)
        self._revisions = Revisions(view, history, self._taken_in.gap_lives)

    def days(self) -> list[date]:
        """The UTC days that there are trades of, in order."""
        version = self._publication.tables.get(TRADES.name)
        if version is None:
            return []
        days = self._lake.scan(TRADES.name, version).select(day=pl.col("event_time").dt.date()).unique()
        return days.collect(engine="streaming")["day"].sort().to_list()

    def of_day(self, day: date) -> pl.DataFrame:
        """The partials of a day's windows, one per group.

        Raises:
            ArithmeticOverflow: a sum left the range of its type.
            LakeUnreachable: a table cannot be read.
        """
        return self._folded(self._trades(day))

    def since(self, before: Publication) -> pl.DataFrame:
        """The partials of what came after an earlier publication.

        Raises:
            ArithmeticOverflow: a sum left the range of its type.
            LakeUnreachable: a table cannot be read.
        """
        return self._folded([self._taken_in.between(TRADES, before, self._publication, _COLUMNS)])

    def _trades(self, day: date) -> Iterator[pl.DataFrame]:
        bounds = self._taken_in.bounds(TRADES)
        if bounds is None:
            return
        begin_us = to_epoch_us(datetime.fromisoformat(f"{day}T00:00:00+00:00"))
        files = files_within(bounds, "event_time", begin_us, begin_us + _DAY // timedelta(microseconds=1))
        part = pl.col("num_records").fill_null(FOLDED_AT_ONCE).cum_sum() // FOLDED_AT_ONCE
        for some in files.with_columns(part=part).partition_by("part", maintain_order=True):
            is_of_day = pl.col("event_time").dt.date() == day
            yield self._lake.read_files(TRADES.name, some["file"].to_list(), _COLUMNS, is_of_day)

    def _folded(self, parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
        view, folded, late = self._view, [empty_partials(self._view)], []
        for trades in parts:
            folded.append(fold([view], trades)[view.name])
            late.append(self._revisions.late(trades))
        return self._revisions.counted(late, merge(view, pl.concat(folded)))
