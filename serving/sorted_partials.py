"""Partials in the order of their groups, so that those of a question are found without looking at the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from serving.names import names
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

    @cached_property
    def newest_windows(self) -> pl.DataFrame:
        """The start of the newest window of each market: venue, symbol and window start."""
        return self.frame[[begin + count - 1 for begin, count in self.markets.values()]].select(_ORDER)

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
            venue: only these venues, by names in canonical form (`serving.names`).
            symbol: only these symbols, likewise.
            start_us: windows that start here or later, UTC microseconds.
            end_us: windows that start before this, likewise.
            newest: of those, this many rows of each market at most.
        """
        if all(limit is None for limit in (venue, symbol, start_us, end_us, newest)):
            return self.frame
        parts = [self.frame.slice(*span) for span in self._spans(venue, symbol, start_us, end_us, newest)]
        return pl.concat(parts) if parts else self.frame.clear()

    def count(
        self,
        venue: str | None = None,
        symbol: str | None = None,
        start_us: int | None = None,
        end_us: int | None = None,
        newest: int | None = None,
    ) -> int:
        """How many rows that are."""
        return sum(count for _, count in self._spans(venue, symbol, start_us, end_us, newest))

    def _spans(
        self, venue: str | None, symbol: str | None, start_us: int | None, end_us: int | None, newest: int | None
    ) -> Iterator[tuple[int, int]]:
        for begin, count in self._markets(venue, symbol):
            first, beyond = begin, begin + count
            if start_us is not None:
                first = self._place(begin, count, start_us)
            if end_us is not None:
                beyond = self._place(begin, count, end_us)
            if newest is not None:
                first = max(first, beyond - newest)
            if first < beyond:
                yield first, beyond - first

    def _markets(self, venue: str | None, symbol: str | None) -> Iterator[tuple[int, int]]:
        venues, symbols = (None if text is None else names(text) for text in (venue, symbol))
        if venues and symbols and not venues.patterns and not symbols.patterns:
            asked = ((its_venue, its_symbol) for its_venue in venues.exact for its_symbol in symbols.exact)
            yield from (self.markets[market] for market in sorted(asked) if market in self.markets)
            return
        for (its_venue, its_symbol), span in self.markets.items():
            if (venues is None or venues.fit(its_venue)) and (symbols is None or symbols.fit(its_symbol)):
                yield span

    @cached_property
    def _starts_us(self) -> pl.Series:
        return self.frame["window_start"].to_physical()

    def _place(self, begin: int, count: int, start_us: int) -> int:
        """Where, among the rows of a market, the first window is that does not start before a time."""
        return begin + int(self._starts_us.slice(begin, count).search_sorted(start_us))
