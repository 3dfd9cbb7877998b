"""Every aggregate over every measure, with and without a filter, against plain Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal, localcontext
from functools import reduce
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws.parts import one_in
from polars.testing import assert_frame_equal
from trade_maker import markets, trade_row, trades_frame

from twofold.aggregates import TRADE_MEASURES, Aggregate, Count, First, Last, Max, Min, Sum
from twofold.fold import fold, merge
from twofold.view import View

Trade = dict[str, Any]
SIDES = {"all": {}, "buy": {"side": "buy"}, "sell": {"side": "sell"}}

AGGREGATES: dict[str, Aggregate] = {f"count_{side}": Count(where=where) for side, where in SIDES.items()} | {
    f"{kind.__name__.lower()}_{column}_{side}": kind(column, where)
    for kind in (Sum, Min, Max, First, Last)
    for column in TRADE_MEASURES
    for side, where in SIDES.items()
}
EVERY = View(name="every", window=timedelta(days=1), aggregates=AGGREGATES)


def exact_sum(values: Sequence[Decimal]) -> Decimal:
    with localcontext(prec=60):
        return sum(values, Decimal(0))


EXPECTED: dict[str, Callable[[list[Trade], str], object]] = {
    "count": lambda trades, _: len(trades),
    "sum": lambda trades, column: exact_sum([trade[column] for trade in trades]),
    "min": lambda trades, column: min((trade[column] for trade in trades), default=None),
    "max": lambda trades, column: max((trade[column] for trade in trades), default=None),
    "first": lambda trades, column: trades[0][column] if trades else None,
    "last": lambda trades, column: trades[-1][column] if trades else None,
}


def everything(trades: Sequence[Trade]) -> pl.DataFrame:
    return fold([EVERY], trades_frame(list(trades)))["every"]


def merged(*partials: pl.DataFrame) -> pl.DataFrame:
    return merge(EVERY, pl.concat(partials)).sort(EVERY.group)


@given(market=markets(max_trades=30), seed=st.integers(0, 99))
def test_each_aggregate_is_what_plain_python_makes_of_the_trades(market: list[Trade], seed: int) -> None:
    Random(seed).shuffle(market)
    for row in everything(market).iter_rows(named=True):
        trades = sorted(
            (trade for trade in market if trade["symbol"] == row["symbol"]),
            key=lambda trade: (trade["event_time"], trade["trade_id"]),
        )
        for name, aggregate in AGGREGATES.items():
            chosen = [trade for trade in trades if trade["side"] == aggregate.where.get("side", trade["side"])]
            assert row[name] == EXPECTED[aggregate.kind](chosen, aggregate.column), name


@settings(one_in(3))
@given(market=markets(max_trades=24), pieces=st.integers(2, 6), seed=st.integers(0, 99))
def test_merging_is_associative_and_commutative(market: list[Trade], pieces: int, seed: int) -> None:
    parts = [everything(market[start::pieces]) for start in range(pieces) if market[start::pieces]]
    at_once = merged(everything(market))
    Random(seed).shuffle(parts)
    assert_frame_equal(merged(*parts), at_once)
    assert_frame_equal(reduce(merged, parts[1:], parts[0]).sort(EVERY.group), at_once.sort(EVERY.group))
    assert_frame_equal(merged(merged(*parts[:2]), *parts[2:]), at_once)


@given(market=markets(max_trades=12))
def test_a_merged_partial_merges_to_itself(market: list[Trade]) -> None:
    once = merged(everything(market))
    assert_frame_equal(merged(once), once)


def test_a_filter_that_nothing_passes_leaves_no_value_and_nothing_to_add() -> None:
    row = everything([trade_row(1, side="buy")]).row(0, named=True)
    assert (row["count_sell"], row["sum_size_sell"]) == (0, Decimal(0))
    assert [row[f"{kind}_price_sell"] for kind in ("min", "max", "first", "last")] == [None] * 4


def test_what_has_no_value_gives_way_to_what_has_one() -> None:
    bought, sold = everything([trade_row(1, price="3", side="buy")]), everything([trade_row(2, price="5", side="sell")])
    for order in ((bought, sold), (sold, bought)):
        row = merged(*order).row(0, named=True)
        assert [row[f"{kind}_price_sell"] for kind in ("min", "max", "first", "last")] == [Decimal(5)] * 4


@pytest.mark.parametrize("name", AGGREGATES)
def test_states_keep_their_types_through_merging(name: str) -> None:
    types = {column: dtype for column, dtype in EVERY.partial_schema.items() if column.startswith(name)}
    folded = everything([trade_row(1), trade_row(2, side="sell")])
    for frame in (folded, merged(folded, folded.clear())):
        assert {column: frame.schema[column] for column in types} == types
