"""The batch side of an old answer, made again: `trades` below the cut folded anew, and its revisions counted anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from serving.batch_side import BatchSide
from serving.known import had_arrived, newest_arrival_us
from serving.names import names
from serving.query import Query
from serving.sorted_partials import SortedPartials
from twofold.decoding import TRADE_SCHEMA
from twofold.fold import empty_partials, fold, merge
from twofold.gap_log import gaps_at
from twofold.gaps import OpenHoles
from twofold.history import History
from twofold.ledger import MARKET
from twofold.publication import Publication
from twofold.revisions import Revisions
from twofold.tables import TRADES
from twofold.taken_in import STATED_TO_US, TakenIn, files_within, is_below

FOLDED_AT_ONCE = 2_000_000
"""Trades of so many rows, about, are folded together; more are folded in parts."""

_WIDER = 8
"""How many times as far back it is looked for the newest windows, if they were not all there."""

_NULL = pl.lit(None, dtype=pl.Int64)


@dataclass(frozen=True)
class Span:
    """A range of event time, UTC microseconds: from `first_us`, inclusive, to `end_us`, exclusive; None: no bound."""

    first_us: int | None = None
    end_us: int | None = None

    def holds(self, column: str) -> pl.Expr:
        """The rows whose time, in that column, lies in the range."""
        time_us, inside = pl.col(column).dt.epoch("us"), pl.lit(value=True)
        if self.first_us is not None:
            inside &= time_us >= self.first_us
        return inside if self.end_us is None else inside & (time_us < self.end_us)


class BelowCut:
    """Makes the batch side of one answer again.

    Args:
        query: what was asked.
        publication: what was answered from.
        history: of the lake, up to that publication or further.
        taken_in: the lake as it is.
    """

    def __init__(self, query: Query, publication: Publication, history: History, taken_in: TakenIn) -> None:
        self._query = query
        self._publication = publication
        self._history = history
        self._taken_in = taken_in
        self._bounds = taken_in.bounds(TRADES)

    def made_again(self) -> BatchSide:
        """The batch side, as far as the answer is about it.

        Raises:
            LakeUnreachable: a table cannot be read.
            ArithmeticOverflow: a sum left the range of its type.
        """
        partials = self._newest_partials() if self._knows_how_many() else self._partials(self._asked_span())
        return BatchSide(
            publication=self._publication,
            partials={self._query.view.name: SortedPartials.of(self._query.view, partials)},
            holes=OpenHoles(gaps_at(self._lives, self._publication.sequence)),
        )

    def _asked_span(self) -> Span:
        query, newest_us = self._query, newest_arrival_us(self._query)
        ends_us = [query.end_us, None if newest_us is None else newest_us + 1]  # nothing arrives before it happens
        return Span(query.start_us, min((end_us for end_us in ends_us if end_us is not None), default=None))

    def _knows_how_many(self) -> bool:
        query = self._query
        knows = query.last is not None and query.finality is None and set(query.view.keys) == set(MARKET)
        return knows and self._bounds is not None

    def _newest_partials(self) -> pl.DataFrame:
        """The partials of the newest windows of each market: looked for ever further back, till all are there."""
        query, asked = self._query, self._asked_span()
        length_us, markets = query.interval_us, self._markets
        first_us, newest_us = self._event_bounds()
        end_us = newest_us + 1 if asked.end_us is None else min(asked.end_us, newest_us + 1)
        begin_us = first_us if asked.first_us is None else max(asked.first_us, first_us)
        reach_us = (query.last or 1) * length_us
        while True:
            span = Span(max((end_us - reach_us) // length_us * length_us, begin_us), end_us)
            partials = self._partials(span)
            if span.first_us == begin_us or self._has_enough(partials, markets):
                return partials
            reach_us *= _WIDER

    def _has_enough(self, partials: pl.DataFrame, markets: pl.DataFrame) -> bool:
        window = pl.col("window_start").dt.truncate(f"{self._query.interval_us}us")
        counted = partials.group_by(MARKET).agg(windows=window.n_unique())
        found = markets.join(counted, on=MARKET, how="left")["windows"].fill_null(0)
        return bool((found >= (self._query.last or 0)).all())

    def _event_bounds(self) -> tuple[int, int]:
        """Between which event times all trades are, inclusive, by Delta's log, or else by the trades; microseconds."""
        bounds = self._bounds
        if bounds is not None and {"min.event_time", "max.event_time"} <= set(bounds.columns):
            least, most = (bounds[name].to_physical() for name in ("min.event_time", "max.event_time"))
            if not least.null_count() and not most.null_count():
                return int(least.min()), int(most.max()) + STATED_TO_US - 1  # type: ignore[arg-type]  # there are files
        version = self._taken_in.newest.tables[TRADES.name]
        times = self._taken_in.lake.scan(TRADES.name, version).select(pl.col("event_time").to_physical())
        least_us, most_us = times.select(least=pl.all().min(), most=pl.all().max()).collect().row(0)
        return least_us, most_us

    @cached_property
    def _markets(self) -> pl.DataFrame:
        """The markets that the question is about."""
        markets = self._taken_in.markets
        for column, wanted in (("venue", self._query.venue), ("symbol", self._query.symbol)):
            if wanted is not None:
                markets = markets.filter(names(wanted).rows(markets, column))
        return markets

    def _is_asked(self) -> pl.Expr:
        """The rows of the markets that the question is about."""
        asked = pl.lit(value=True)
        for column, wanted in (("venue", self._query.venue), ("symbol", self._query.symbol)):
            if wanted is not None:
                asked &= pl.col(column).is_in(self._markets[column].unique().to_list())
        return asked

    def _partials(self, span: Span) -> pl.DataFrame:
        """The partials of a range, one per group, with their revisions."""
        view = self._query.view
        folded, late = [empty_partials(view)], []
        for trades in self._trades(span):
            folded.append(fold([view], trades)[view.name])
            late.append(self._revisions.late(trades))
        return self._revisions.counted(late, merge(view, pl.concat(folded)))

    def _trades(self, span: Span) -> Iterator[pl.DataFrame]:
        """The trades below the cut that the question is about, in parts that memory can hold."""
        if self._bounds is None:
            return
        wanted = is_below(self._publication.cut) & self._is_asked() & span.holds("event_time")
        files, wanted = self._files(self._bounds, span), wanted & had_arrived(self._query)
        parts = files.with_columns(part=pl.col("num_records").fill_null(FOLDED_AT_ONCE).cum_sum() // FOLDED_AT_ONCE)
        for part in parts.partition_by("part", maintain_order=True):
            addresses = part["file"].to_list()
            yield self._taken_in.lake.read_files(TRADES.name, addresses, TRADE_SCHEMA.names(), wanted)

    def most_trades(self) -> int:
        """How many trades may have to be looked at, by what Delta's log says of their files."""
        bounds = self._bounds
        return 0 if bounds is None else int(self._files(bounds, self._asked_span())["num_records"].sum())

    def _files(self, bounds: pl.DataFrame, span: Span) -> pl.DataFrame:
        """The files that may have trades that the question is about."""
        files = files_within(bounds, "event_time", span.first_us, span.end_us)
        newest_us = newest_arrival_us(self._query)
        files = files if newest_us is None else files_within(files, "arrival_time", None, newest_us + 1)
        if self._query.symbol is not None and {"min.symbol", "max.symbol"} <= set(files.columns):
            symbols = self._markets["symbol"]
            if symbols.is_empty():
                return files.clear()
            may = (pl.col("min.symbol") <= symbols.max()) & (pl.col("max.symbol") >= symbols.min())
            files = files.filter(may.fill_null(value=True))  # long names are cut off there, upwards at the end
        return files

    @cached_property
    def _revisions(self) -> Revisions:
        return Revisions(self._query.view, self._history, self._lives)

    @cached_property
    def _lives(self) -> pl.DataFrame:
        """The open gaps that there ever were in the markets that the question is about."""
        return self._taken_in.gap_lives.filter(self._is_asked())
