"""The rules that rows have to keep: of trades as they are declared, and of a view's partials by its definition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from twofold.aggregates import TRADE_LABELS, Aggregate, First, Last, Max, Min, Sum
from twofold.finish import Formula
from twofold.view import View

NEAR_LOW, NEAR_HIGH = "near_low", "near_high"
"""Columns that are put to trades: the least and greatest price that was published of the market about then, or null."""


class Rule(NamedTuple):
    """What every row of a table has to keep.

    Attributes:
        name: Of the check.
        broken: What a row is that does not keep it, in words that follow a number of rows.
        is_kept: Whether a row keeps it; null counts as kept.
    """

    name: str
    broken: str
    is_kept: pl.Expr


def trade_rules(price_factor: float) -> tuple[Rule, ...]:
    """The rules of trades (`TRADE_SCHEMA` with `NEAR_LOW` and `NEAR_HIGH`).

    Args:
        price_factor: how many times as high, or as low, as what was published about then a price may be.
    """
    price = pl.col("price").cast(pl.Float64)
    is_near = price.is_between(pl.col(NEAR_LOW) / price_factor, pl.col(NEAR_HIGH) * price_factor)
    return (
        Rule("price_above_zero", "have no price above zero", pl.col("price") > 0),
        Rule("size_above_zero", "have no size above zero", pl.col("size") > 0),
        Rule("notional_above_zero", "have no notional above zero", pl.col("notional") > 0),
        Rule("side_known", "have no side that is known", pl.col("side").is_in(TRADE_LABELS["side"] or ())),
        Rule("times_in_order", "arrived before they happened", pl.col("event_time") <= pl.col("arrival_time")),
        Rule(
            "price_near_published",
            f"have a price over {price_factor:g} times as high or as low as any published of the market within a day",
            is_near,
        ),
    )


def view_rules(view: View) -> tuple[Rule, ...]:
    """The rules of a view's partials with its finished columns, as far as its definition says how they hang together.

    Of what is aggregated of one column and the same trades, the least is at most the greatest, the first and last lie
    between these, and so does a quotient of the sum of notional by that of size, which is a mean of prices.
    """
    start_us = pl.col("window_start").to_physical()
    return (
        Rule("window_on_grain", "begin at no window's start", start_us % view.window_us == 0),
        Rule("revisions_counted", "have been revised fewer than no times", pl.col("revisions") >= 0),
        *_ordered(view),
    )


def _ordered(view: View) -> Iterator[Rule]:
    for low, least in view.aggregates.items():
        high = _named(view, Max(least.column, least.where))
        if not isinstance(least, Min) or high is None:
            continue
        yield Rule(f"{high}_not_below_{low}", f"have a {high} below their {low}", pl.col(high) >= pl.col(low))
        edges = [_named(view, kind(least.column, least.where)) for kind in (First, Last)]
        means = [name for name, formula in view.finished.items() if _is_mean(view, formula, least)]
        for name in [*(edge for edge in edges if edge is not None), *means]:
            within = pl.col(name).is_between(pl.col(low), pl.col(high))
            yield Rule(f"{name}_within_{low}_and_{high}", f"have a {name} outside of {low} and {high}", within)


def _named(view: View, wanted: Aggregate) -> str | None:
    """What a view calls an aggregate, if it has it."""
    return next((name for name, aggregate in view.aggregates.items() if _is_same(aggregate, wanted)), None)


def _is_same(one: Aggregate, other: Aggregate) -> bool:
    return (one.kind, one.column, dict(one.where)) == (other.kind, other.column, dict(other.where))


def _is_mean(view: View, formula: Formula, least: Aggregate) -> bool:
    """Whether a formula is the mean price of the trades that an aggregate of prices is about, weighted by size."""
    if least.column != "price" or formula.operator != "/":
        return False
    names = [part.operands[0] for part in formula.operands if isinstance(part, Formula) and part.operator == "column"]
    if len(names) != len(formula.operands):
        return False
    found = [view.aggregates[str(name)] for name in names]
    wanted = [Sum("notional", least.where), Sum("size", least.where)]
    return all(_is_same(one, other) for one, other in zip(found, wanted, strict=True))
