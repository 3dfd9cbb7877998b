"""The aggregates that a view may use: how each prepares its state from trades and merges states.

Every state is mergeable: merging is associative and commutative, so it does not matter in which pieces, on which side
and in which order trades were folded. Nothing here divides or rounds; that is finishing (`twofold.finish`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

TRADE_MEASURES: dict[str, pl.Decimal] = {
    "price": pl.Decimal(18, 8),
    "size": pl.Decimal(18, 8),
    "notional": pl.Decimal(38, 16),
}
"""Columns of a trade that can be aggregated."""

TRADE_LABELS: dict[str, tuple[str, ...] | None] = {"venue": None, "symbol": None, "side": ("buy", "sell")}
"""Columns of a trade that can be grouped by or filtered on, with their values where these are few."""

EVENT_ORDER = ("event_time", "trade_id")
"""What first and last go by. A fold hands its trades over sorted by these."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One reduction over a column of the trades in a group, or over those where a label has a value."""

    column: str = ""
    where: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The aggregate's name as it enters a view's hash."""
        return type(self).__name__.lower()

    def value_type(self) -> pl.DataType:
        """The type of the aggregated value."""
        return TRADE_MEASURES[self.column]

    def state(self, name: str) -> dict[str, pl.DataType]:
        """The columns and types of this aggregate's state, called `name` in its view."""
        return {name: self.value_type()}

    def prepare(self, name: str) -> list[pl.Expr]:
        """Expressions over the trades of one group, in event order, that make the state."""
        raise NotImplementedError

    def merge(self, name: str) -> list[pl.Expr]:
        """Expressions over the states of one group, in any order, that make their common state."""
        raise NotImplementedError

    def _chosen(self, column: str) -> pl.Expr:
        expression = pl.col(column)
        for label, value in self.where.items():
            expression = expression.filter(pl.col(label) == value)
        return expression


@dataclass(frozen=True, slots=True)
class Count(Aggregate):
    """How many trades."""

    def value_type(self) -> pl.DataType:
        """Counts are 64-bit."""
        return pl.Int64()

    def prepare(self, name: str) -> list[pl.Expr]:
        """Count the chosen trades."""
        return [self._chosen("trade_id").len().cast(pl.Int64).alias(name)]

    def merge(self, name: str) -> list[pl.Expr]:
        """Add the counts."""
        return [pl.col(name).sum()]


@dataclass(frozen=True, slots=True)
class Sum(Aggregate):
    """The exact sum; zero where there is nothing to add."""

    def value_type(self) -> pl.DataType:
        """As wide as decimals go, at the column's own scale."""
        return pl.Decimal(38, TRADE_MEASURES[self.column].scale)

    def prepare(self, name: str) -> list[pl.Expr]:
        """Add the chosen values."""
        return [self._chosen(self.column).cast(self.value_type()).sum().alias(name)]

    def merge(self, name: str) -> list[pl.Expr]:
        """Add the sums."""
        return [pl.col(name).sum()]


@dataclass(frozen=True, slots=True)
class Min(Aggregate):
    """The least value; null where there is none."""

    def prepare(self, name: str) -> list[pl.Expr]:
        """Take the least of the chosen values."""
        return [self._chosen(self.column).min().alias(name)]

    def merge(self, name: str) -> list[pl.Expr]:
        """Take the least of the least."""
        return [pl.col(name).min()]


@dataclass(frozen=True, slots=True)
class Max(Aggregate):
    """The greatest value; null where there is none."""

    def prepare(self, name: str) -> list[pl.Expr]:
        """Take the greatest of the chosen values."""
        return [self._chosen(self.column).max().alias(name)]

    def merge(self, name: str) -> list[pl.Expr]:
        """Take the greatest of the greatest."""
        return [pl.col(name).max()]


@dataclass(frozen=True, slots=True)
class _Edge(Aggregate):
    """A value at one end of the event order; its state keeps the event time and trade id that it stands at."""

    def state(self, name: str) -> dict[str, pl.DataType]:
        """The value, and where in the event order it stands."""
        return {name: self.value_type(), f"{name}__at": pl.Datetime("us", "UTC"), f"{name}__id": pl.Int64()}


@dataclass(frozen=True, slots=True)
class First(_Edge):
    """The value of the first trade by (event time, trade id)."""

    def prepare(self, name: str) -> list[pl.Expr]:
        """Take the first of the chosen trades, which come in event order."""
        states = zip(self.state(name), (self.column, *EVENT_ORDER), strict=True)
        return [self._chosen(column).first().alias(state) for state, column in states]

    def merge(self, name: str) -> list[pl.Expr]:
        """Take the state that stands first."""
        order = [f"{name}__at", f"{name}__id"]
        return [pl.col(state).sort_by(order, nulls_last=True).first() for state in self.state(name)]


@dataclass(frozen=True, slots=True)
class Last(_Edge):
    """The value of the last trade by (event time, trade id)."""

    def prepare(self, name: str) -> list[pl.Expr]:
        """Take the last of the chosen trades, which come in event order."""
        states = zip(self.state(name), (self.column, *EVENT_ORDER), strict=True)
        return [self._chosen(column).last().alias(state) for state, column in states]

    def merge(self, name: str) -> list[pl.Expr]:
        """Take the state that stands last."""
        order = [f"{name}__at", f"{name}__id"]
        return [pl.col(state).sort_by(order, nulls_last=False).last() for state in self.state(name)]
