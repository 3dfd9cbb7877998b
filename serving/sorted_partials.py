"""Partials in the order of their groups, so that those of a question are found without looking at the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from twofold.fold import empty_partials, merge
from twofold.ledger import MARKET
from twofold.view import View

_ORDER = (*MARKET, "window_start")


@dataclass(frozen=True)
class SortedPartials:
    """Partials of a view, one per group, by venue, symbol and window start."""

    view: View
    frame: pl.DataFrame

    @classmethod
    def of(cls, view: View, partials: pl.DataFrame | None = None) -> SortedPartials:
        """Merge partials and put them in order; none at all without any."""
        return cls(view, empty_partials(view) if partials is None else merge(view, partials).sort(_ORDER))

    @cached_property
    def markets(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Where the rows of each (venue, symbol) begin, and how many there are."""
        runs = self.frame.with_row_index("begin").group_by(MARKET, maintain_order=True)
        counted = runs.agg(pl.col("begin").first(), pl.len())
        return {(venue, symbol): (begin, count) for venue, symbol, begin, count in counted.rows()}

    def about(
        self,
        venue: str | None = None,
        symbol: str | None = None,
        start_us: int | None = None,
        end_us: int | None = None,
        newest: int | None = None,
    ) -> pl.DataFrame:
        """Rows by what they are about, in their order.

        Args:
            venue: only this venue.
            symbol: only this symbol.
            start_us: windows that start here or later, UTC microseconds.
            end_us: windows that start before this, likewise.
            newest: of those, this many rows of each market at most.
        """
        if all(limit is None for limit in (venue, symbol, start_us, end_us, newest)):
            return self.frame
        parts = [self.frame.slice(*span) for span in self._spans(venue, symbol)]
        if start_us is not None or end_us is not None:
            parts = [_within(part, start_us, end_us) for part in parts]
        if newest is not None:
            parts = [part.tail(newest) for part in parts]
        return pl.concat(parts) if parts else self.frame.clear()

    def count(self, venue: str | None, symbol: str | None, newest: int | None) -> int:
        """How many rows there are of those markets, or of the newest of each."""
        counts = (count for _, count in self._spans(venue, symbol))
        return sum(counts) if newest is None else sum(min(count, newest) for count in counts)

    def _spans(self, venue: str | None, symbol: str | None) -> Iterator[tuple[int, int]]:
        if venue is not None and symbol is not None:
            if span := self.markets.get((venue, symbol)):
                yield span
            return
        for (its_venue, its_symbol), span in self.markets.items():
            if venue in (None, its_venue) and symbol in (None, its_symbol):
                yield span


def _within(rows: pl.DataFrame, start_us: int | None, end_us: int | None) -> pl.DataFrame:
    """Rows, in the order of time, whose windows start between two times."""
    starts = rows["window_start"].to_physical()
    begin = 0 if start_us is None else int(starts.search_sorted(start_us))
    end = rows.height if end_us is None else int(starts.search_sorted(end_us))
    return rows.slice(begin, max(0, end - begin))
