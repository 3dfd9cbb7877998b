"""Conservation: what a cycle's trades add up to is what a view's table grew by, to the last digit."""

from __future__ import annotations

from decimal import Context, Decimal

import polars as pl

from twofold.aggregates import Count, Sum
from twofold.view import View

_EXACT = Context(prec=80)
"""Sums of decimals of 38 digits; Python's own context would round them."""


class Conservation:
    """Adds up, for each sum and count of a view, the trades on one side and the partials on the other."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._names = [name for name, its in view.aggregates.items() if isinstance(its, (Sum, Count))]
        self._trades: dict[str, Decimal] = dict.fromkeys(self._names, Decimal(0))
        self._partials: dict[str, Decimal] = dict(self._trades)

    @property
    def columns(self) -> list[str]:
        """The columns of partials that are added up."""
        return self._names

    def of_trades(self, trades: pl.DataFrame) -> None:
        """Add trades (`TRADE_SCHEMA`)."""
        aggregates = self._view.aggregates
        sums = trades.select(state for name in self._names for state in aggregates[name].prepare(name))
        self._add(self._trades, sums, 1)

    def of_partials(self, partials: pl.DataFrame, sign: int) -> None:
        """Add partials, by 1, or those that are there no longer, by -1."""
        self._add(self._partials, partials.select(pl.col(self._names).sum()), sign)

    def differing(self) -> list[str]:
        """The columns that differ, each with both sums."""
        return [
            f"{name} is {self._partials[name]:f} in the view and {self._trades[name]:f} in the trades"
            for name in self._names
            if self._partials[name] != self._trades[name]
        ]

    @staticmethod
    def _add(totals: dict[str, Decimal], sums: pl.DataFrame, sign: int) -> None:
        for name in sums.columns:
            more = sums[name][0] or 0
            totals[name] = _EXACT.add(totals[name], _EXACT.multiply(Decimal(more), Decimal(sign)))
