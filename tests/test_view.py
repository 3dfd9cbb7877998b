from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from twofold.aggregates import Aggregate, Count, First, Last, Max, Min, Sum
from twofold.errors import DeclarationError, UnknownName
from twofold.finish import column
from twofold.view import View
from twofold.views import VIEWS, view_named

MINUTE = timedelta(minutes=1)
AGGREGATES: Mapping[str, Aggregate] = {"volume": Sum("size"), "high": Max("price"), "trades": Count()}


def view(**changes: Any) -> View:  # noqa: ANN401  # any field
    return replace(View(name="mine", window=MINUTE, aggregates=AGGREGATES), **changes)


def test_two_views_are_shipped() -> None:
    assert set(VIEWS) == {"bars", "taker_flow"}
    assert set(VIEWS["bars"].columns) == {"open", "high", "low", "close", "volume", "notional", "trades", "vwap"}
    flow = {"buy_volume", "sell_volume", "buy_notional", "sell_notional", "imbalance"}
    assert set(VIEWS["taker_flow"].columns) == flow


def test_an_unknown_view_names_those_that_exist() -> None:
    with pytest.raises(UnknownName, match=r"no view 'bar'\. Did you mean 'bars'\? Known: bars, taker_flow"):
        view_named("bar", VIEWS)


def test_a_hash_does_not_depend_on_the_name() -> None:
    assert view(name="yours").hash == view().hash


def test_a_hash_does_not_depend_on_the_order_in_which_parts_are_written() -> None:
    backwards = dict(reversed(list(AGGREGATES.items())))
    assert view(aggregates=backwards).hash == view().hash
    assert view(keys=("symbol", "venue")).hash == view().hash


def test_a_hash_does_not_depend_on_the_order_of_what_is_added() -> None:
    there = view(finished={"x": column("volume") / (column("high") + column("trades"))})
    back = view(finished={"x": column("volume") / (column("trades") + column("high"))})
    assert there.hash == back.hash


@pytest.mark.parametrize(
    "changes",
    [
        {"window": 2 * MINUTE},
        {"lateness": timedelta(seconds=1)},
        {"keys": ("venue", "symbol", "side")},
        {"aggregates": {**AGGREGATES, "low": Min("price")}},
        {"aggregates": {"volume": Sum("size"), "high": Max("price")}},
        {"aggregates": {**AGGREGATES, "high": Min("price")}},
        {"aggregates": {**AGGREGATES, "volume": Sum("notional")}},
        {"aggregates": {**AGGREGATES, "volume": Sum("size", where={"side": "buy"})}},
        {"aggregates": {"amount": Sum("size"), "high": Max("price"), "trades": Count()}},
        {"finished": {"x": column("volume") / column("trades")}},
    ],
)
def test_a_hash_changes_with_the_meaning(changes: dict[str, Any]) -> None:
    assert view(**changes).hash != view().hash


def test_a_hash_tells_a_difference_from_its_reverse() -> None:
    there = view(finished={"x": column("volume") - column("high")})
    back = view(finished={"x": column("high") - column("volume")})
    assert there.hash != back.hash


def test_first_and_last_of_one_column_mean_different_things() -> None:
    assert view(aggregates={"p": First("price")}).hash != view(aggregates={"p": Last("price")}).hash


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"name": "Mine"}, "its name 'Mine' is not lower-case"),
        ({"name": "views/mine"}, "its name"),
        ({"source": "quotes"}, "its source 'quotes' does not exist; sources: trades"),
        ({"window": timedelta(0)}, "does not divide a day"),
        ({"window": timedelta(minutes=7)}, "0:07:00 does not divide a day"),
        ({"lateness": -MINUTE}, "is negative"),
        ({"keys": ()}, "are empty or repeated"),
        ({"keys": ("venue", "symbol", "symbol")}, "are empty or repeated"),
        ({"keys": ("venue", "sym")}, "'sym', which does not exist; there are: side, symbol, venue"),
        ({"keys": ("symbol",)}, "lack 'venue' or 'symbol'"),
        ({"aggregates": {}}, "no aggregates"),
        ({"aggregates": {"x": Sum("sized")}}, "'sized', which does not exist; there are: notional, price, size"),
        ({"aggregates": {"x": Count("price")}}, "counts trades, so it takes no column"),
        ({"aggregates": {"x": Count(where={"maker": "me"})}}, "'maker', which does not exist; there are: side"),
        ({"aggregates": {"x": Count(where={"side": "b"})}}, "'b', which does not exist; there are: buy, sell"),
        ({"aggregates": {"finality": Count()}}, "'finality' is not free"),
        ({"aggregates": {"venue": Count()}}, "'venue' is not free"),
        ({"aggregates": {"a__at": Count()}}, "'a__at' is not free"),
        ({"finished": {"x": column("size")}}, "'size', which does not exist; there are: high, trades, volume"),
        ({"finished": {"high": column("volume")}}, "'high' is both an aggregate and a finished column"),
    ],
)
def test_a_mistake_in_a_declaration_is_named_with_what_exists(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        view(**changes)
    assert complaint in str(refused.value)
    assert "cannot be used" in str(refused.value)
