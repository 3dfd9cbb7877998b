"""The fold's windows and its guard; that pieces and orders do not matter is law 2."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trade_maker import BEGIN_US, trade_row, trades_frame

from twofold.aggregates import Count, Sum
from twofold.errors import ArithmeticOverflow
from twofold.fold import coarsen, empty_partials, finished, fold, merge
from twofold.view import View
from twofold.views import VIEWS

LIMIT = Decimal(10) ** 22
"""Where a decimal of 38 digits, 16 of them places, ends."""


def counts(window: timedelta) -> View:
    return View(name="counts", window=window, aggregates={"trades": Count(), "notional": Sum("notional")})


def partials_of(view: View, *notionals: Decimal) -> pl.DataFrame:
    """One partial for each amount, all of one group."""
    one = fold([view], trades_frame([trade_row(1)]))[view.name]
    amounts = pl.Series("notional", notionals, dtype=pl.Decimal(38, 16))
    return pl.concat([one] * len(notionals)).with_columns(amounts)


@pytest.mark.parametrize("window", [timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=6), timedelta(days=1)])
def test_a_window_holds_its_start_and_not_its_end(window: timedelta) -> None:
    step_us = window // timedelta(microseconds=1)
    edges = [BEGIN_US - 1, BEGIN_US, BEGIN_US + step_us - 1, BEGIN_US + step_us]
    view = counts(window)
    bars = fold([view], trades_frame([trade_row(n, event_us=at) for n, at in enumerate(edges)]))["counts"]
    start = datetime(2024, 8, 9, tzinfo=UTC)
    found = dict(bars.sort("window_start").select("window_start", "trades").iter_rows())
    assert found == {start - window: 1, start: 2, start + window: 1}


def test_no_trades_fold_to_no_partials() -> None:
    for view in VIEWS.values():
        assert fold([view], trades_frame([]))[view.name].equals(empty_partials(view))
        assert merge(view, empty_partials(view)).schema == view.partial_schema
        assert finished(view, empty_partials(view)).is_empty()


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_partials_that_are_merged_in_slices_give_what_they_give_at_once(
    view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        trade_row(n, event_us=BEGIN_US + n % 7 * 60_000_000, symbol=f"S{n % 5}USDT", venue=f"v{n % 2}")
        for n in range(200)
    ]
    partials = pl.concat(fold([view], trades_frame([row]))[view.name] for row in rows)
    at_once = merge(view, partials)
    monkeypatch.setattr("twofold.fold.SLICE_ROWS", 16)
    in_slices = merge(view, partials.with_columns(more=pl.lit(1)))
    assert in_slices.sort(view.group).equals(at_once.sort(view.group))
    assert merge(view, in_slices).sort(view.group).equals(at_once.sort(view.group))


def test_a_sum_that_leaves_its_range_is_noticed_in_a_slice_too(monkeypatch: pytest.MonkeyPatch) -> None:
    view = counts(timedelta(minutes=1))
    monkeypatch.setattr("twofold.fold.SLICE_ROWS", 1)
    with pytest.raises(ArithmeticOverflow, match="'notional'"):
        merge(view, partials_of(view, LIMIT - 1, LIMIT - 1, Decimal(1)))


def test_groups_are_told_apart_by_every_key() -> None:
    view = View(name="sides", window=timedelta(minutes=1), keys=("venue", "symbol", "side"), aggregates={"n": Count()})
    rows = [trade_row(1), trade_row(2, side="sell"), trade_row(3, symbol="ETHUSDT"), trade_row(4, venue="other")]
    assert fold([view], trades_frame(rows))["sides"].height == 4


def test_views_of_other_grains_are_folded_from_the_same_trades() -> None:
    minute, hour = counts(timedelta(minutes=1)), VIEWS["bars"]
    trades = trades_frame([trade_row(n, event_us=BEGIN_US + n * 30_000_000) for n in range(4)])
    folded = fold([minute, hour, View(name="day", window=timedelta(days=1), aggregates={"n": Count()})], trades)
    assert {name: frame.height for name, frame in folded.items()} == {"counts": 2, "bars": 2, "day": 1}


def test_coarser_windows_start_at_multiples_of_the_interval_since_1970() -> None:
    view = counts(timedelta(minutes=1))
    rows = [trade_row(n, event_us=BEGIN_US + n * 60_000_000) for n in range(-2, 13)]
    coarse = merge(view, coarsen(fold([view], trades_frame(rows))["counts"].lazy(), 5 * 60_000_000).collect()).sort(
        "window_start"
    )
    assert coarse["trades"].to_list() == [2, 5, 5, 3]
    assert all(at % (5 * 60_000_000) == 0 for at in coarse["window_start"].dt.epoch("us"))


def test_revisions_of_a_group_add_up() -> None:
    view = counts(timedelta(minutes=1))
    revised = partials_of(view, Decimal(1), Decimal(1), Decimal(1)).with_columns(revisions=pl.Series([0, 1, 1]))
    assert merge(view, revised)["revisions"].to_list() == [2]


@given(st.lists(st.decimals(0, LIMIT - 1, places=16, allow_nan=False), min_size=1, max_size=6))
def test_a_sum_is_exact_or_an_error(amounts: list[Decimal]) -> None:
    view = counts(timedelta(minutes=1))
    total = sum(map(Fraction, amounts))
    try:
        found = merge(view, partials_of(view, *amounts))["notional"][0]
    except ArithmeticOverflow:
        assert total > LIMIT / 20
    else:
        assert Fraction(found) == total


def test_an_overflow_names_the_sum_the_view_and_the_group() -> None:
    view = counts(timedelta(minutes=1))
    with pytest.raises(ArithmeticOverflow) as overflow:
        merge(view, partials_of(view, LIMIT / 2, LIMIT / 2))
    for part in (
        "'notional'",
        "'counts'",
        "BTCUSDT",
        "2024-08-09 00:00:00",
        "Nothing was written",
        "wrong price or size",
    ):
        assert part in str(overflow.value)
