"""Bars of whole days and of the parts of a day, from the partials that a publication names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import date, timedelta

import polars as pl

from twofold.errors import DeclarationError
from twofold.fold import coarsen, empty_partials, finished, merge
from twofold.lake import Lake
from twofold.publication import Publication
from twofold.views.bars import bars

DAY_US = 86_400_000_000

_DAY = re.compile(r"(?:^|/)day=(\d{4}-\d{2}-\d{2})/")


class DayBars:
    """Bars at one publication, by UTC day. They are read day by day, so that memory is bounded by one day's minutes.

    Args:
        lake: where the partials are.
        publication: which versions are read.
        symbols: only of these; None for all.

    Raises:
        DeclarationError: the view `bars` of the publication lacks what days are made of.
        ViewUnreadable: it is not known here.
        LakeUnreachable: the table cannot be read.
    """

    def __init__(self, lake: Lake, publication: Publication, symbols: Collection[str] | None) -> None:
        edition = publication.edition(bars.name, {bars.name: bars})
        self.view = edition.view
        self._table = edition.table
        if lacking := sorted(bars.columns.keys() - self.view.columns.keys()) or {*bars.keys} ^ {*self.view.keys}:
            raise DeclarationError(
                f"The view {bars.name!r} of publication {publication.sequence} differs from the one that an end of day "
                f"is made of in {', '.join(sorted(lacking))}. Serve one that has these, or take another publication."
            )
        self._lake = lake
        self._wanted = None if symbols is None else pl.col("symbol").is_in(sorted(symbols))
        version = publication.tables.get(self._table)
        self._files: dict[date, list[str]] = {}
        for file in sorted(() if version is None else lake.files(self._table, version)):
            if found := _DAY.search(file):
                self._files.setdefault(date.fromisoformat(found[1]), []).append(file)

    @property
    def days(self) -> list[date]:
        """The days that there are any trades of, in order."""
        return sorted(self._files)

    def of(self, day: date, interval: timedelta) -> pl.DataFrame:
        """Bars of a day, of windows of that length, by venue, symbol and window start; `vwap` is finished.

        Raises:
            DeclarationError: the view's windows do not make up windows of that length.
        """
        if interval % self.view.window:
            raise DeclarationError(f"Windows of {self.view.window} do not make up windows of {interval}.")
        partials = empty_partials(self.view)
        if files := self._files.get(day):
            partials = self._lake.read_files(self._table, files, partials.columns, self._wanted)
        coarse = coarsen(partials.lazy(), interval // timedelta(microseconds=1)).collect()
        return finished(self.view, merge(self.view, coarse)).sort(self.view.group)

    def closes(self, last: date, days: int) -> pl.DataFrame:
        """The closing prices of so many days up to `last`: `venue`, `symbol`, `day` and `close`, in this order."""
        found = list(self._closes(last - timedelta(days=days - 1), last))
        schema = {"venue": pl.String(), "symbol": pl.String(), "day": pl.Date(), "close": self.view.columns["close"]}
        return pl.concat(found).sort("venue", "symbol", "day") if found else pl.DataFrame(schema=schema)

    def _closes(self, first: date, last: date) -> Iterator[pl.DataFrame]:
        for day in self.days:
            if first <= day <= last:
                whole = self.of(day, timedelta(days=1))
                yield whole.select("venue", "symbol", pl.lit(day).alias("day"), "close")
