"""Law 2: a view is written once; in whatever pieces it is folded and merged, the result is the same to the bit."""

from decimal import Decimal, localcontext
from itertools import pairwise
from random import Random
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws.market import Market, Sending, sendings
from laws.parts import SteppedWorker, everything_merged_soon, one_in, run_cycle
from polars.testing import assert_frame_equal
from trade_maker import BEGIN_US, markets, trade_row, trades_frame

from serving.batch_side import load_batch_side
from twofold.errors import ArithmeticOverflow
from twofold.fold import coarsen, empty_partials, finished, fold, merge
from twofold.lake import Lake
from twofold.publication import GENESIS
from twofold.view import View
from twofold.views import VIEWS

VIEW = pytest.mark.parametrize("view", VIEWS.values(), ids=lambda view: view.name)


def in_order(view: View, partials: pl.DataFrame) -> pl.DataFrame:
    return partials.sort(view.group)


def folded(view: View, rows: list[dict[str, object]]) -> pl.DataFrame:
    return fold([view], trades_frame(rows))[view.name] if rows else empty_partials(view)


def coarser(view: View, partials: pl.DataFrame, interval_us: int) -> pl.DataFrame:
    return merge(view, coarsen(partials.lazy(), interval_us).collect())


@VIEW
@given(market=markets(), cuts=st.lists(st.integers(0, 40), max_size=5), seed=st.integers(0, 2**32))
def test_folding_in_pieces_in_any_order_is_folding_at_once(
    view: View, market: list[dict[str, object]], cuts: list[int], seed: int
) -> None:
    shuffled = list(market)
    Random(seed).shuffle(shuffled)
    edges = [0, *sorted(cut for cut in cuts if cut < len(shuffled)), len(shuffled)]
    pieces = [folded(view, shuffled[start:end]) for start, end in pairwise(edges)]
    assert_frame_equal(
        in_order(view, merge(view, pl.concat(pieces))), in_order(view, merge(view, folded(view, market)))
    )


@VIEW
@given(market=markets(max_trades=24))
def test_merging_is_associative_and_commutative(view: View, market: list[dict[str, object]]) -> None:
    a, b, c = (folded(view, market[start::3]) for start in range(3))

    def joined(*frames: pl.DataFrame) -> pl.DataFrame:
        return in_order(view, merge(view, pl.concat(frames)))

    assert_frame_equal(joined(joined(a, b), c), joined(a, joined(b, c)))
    assert_frame_equal(joined(a, b, c), joined(c, b, a))


@VIEW
@given(market=markets())
def test_coarser_windows_are_merges_of_finer_ones(view: View, market: list[dict[str, object]]) -> None:
    fine = folded(view, market)
    five_minutes_us = 5 * view.window_us
    once = coarser(view, fine, 4 * five_minutes_us)
    twice = coarser(view, coarser(view, fine, five_minutes_us), 4 * five_minutes_us)
    assert_frame_equal(in_order(view, once), in_order(view, twice))


@given(market=markets())
def test_views_folded_together_are_views_folded_apart(market: list[dict[str, object]]) -> None:
    together = fold(VIEWS.values(), trades_frame(market))
    for name, view in VIEWS.items():
        assert_frame_equal(in_order(view, together[name]), in_order(view, folded(view, market)))
        assert together[name].schema == view.partial_schema


@given(market=markets())
def test_a_fold_is_what_plain_python_makes_of_the_trades(market: list[dict[str, object]]) -> None:
    groups: dict[tuple[str, int], list[dict[str, object]]] = {}
    for row in market:
        start_us = int(str(row["event_time"])) // 60_000_000 * 60_000_000
        groups.setdefault((str(row["symbol"]), start_us), []).append(row)
    bars = folded(VIEWS["bars"], market)
    assert bars.height == len(groups)
    for bar in bars.with_columns(pl.col("window_start").dt.epoch("us")).iter_rows(named=True):
        rows = sorted(groups[bar["symbol"], bar["window_start"]], key=lambda row: (row["event_time"], row["trade_id"]))
        prices = [Decimal(str(row["price"])) for row in rows]
        assert (bar["open"], bar["close"]) == (prices[0], prices[-1])
        assert (bar["low"], bar["high"]) == (min(prices), max(prices))
        assert bar["volume"] == sum(Decimal(str(row["size"])) for row in rows)
        with localcontext(prec=60):
            notional = sum(p * Decimal(str(row["size"])) for p, row in zip(prices, rows, strict=True))
        assert bar["notional"] == notional
        assert bar["trades"] == len(rows)


def test_first_and_last_are_by_event_time_and_then_by_trade_id() -> None:
    tied = [trade_row(9, price="3"), trade_row(2, price="1"), trade_row(10, price="4"), trade_row(3, price="2")]
    bar = folded(VIEWS["bars"], tied).row(0, named=True)
    assert (bar["open"], bar["close"]) == (Decimal(1), Decimal(4))


def test_a_side_that_did_not_trade_sums_to_zero() -> None:
    flow = folded(VIEWS["taker_flow"], [trade_row(1, size="2", side="sell")]).row(0, named=True)
    assert (flow["buy_volume"], flow["sell_volume"]) == (Decimal(0), Decimal(2))


def test_a_sum_that_leaves_its_range_is_an_error_and_never_wraps() -> None:
    view = VIEWS["bars"]
    one = folded(view, [trade_row(1, price="9999999999.99999999", size="99.99999999")])
    huge = one.with_columns(notional=pl.lit(Decimal(10) ** 21, dtype=pl.Decimal(38, 16)))
    with pytest.raises(ArithmeticOverflow, match=r"'notional' of view 'bars'.*BTCUSDT"):
        merge(view, pl.concat([huge] * 20))


def test_large_sums_of_different_groups_are_no_overflow() -> None:
    view = VIEWS["bars"]
    rows = [trade_row(n, event_us=BEGIN_US + n * 60_000_000) for n in range(20)]
    huge = folded(view, rows).with_columns(notional=pl.lit(Decimal(10) ** 20 * 9, dtype=pl.Decimal(38, 16)))
    assert merge(view, huge).height == len(rows)


@settings(one_in(20))
@given(sent=st.lists(sendings(), min_size=10, max_size=40), most=st.integers(3, 20))
def test_both_layers_make_the_same_partials_to_the_bit(sent: list[Sending], most: int) -> None:
    market = Market()
    market.send(sent)
    with TemporaryDirectory() as folder, everything_merged_soon():
        lake = Lake(folder)
        worker = SteppedWorker(lake, market.log)
        worker.start(GENESIS)
        worker.step_to_end(0)
        while (publication := run_cycle(lake, market.log, max_records=most)).cut != market.log.end_offsets():
            pass
        batch = load_batch_side(lake, VIEWS, publication, None)
        speed = worker.client.follow(0, None, 0)
    for name, view in VIEWS.items():
        live = merge(view, pl.concat(speed.frames[name]))
        assert_frame_equal(
            in_order(view, finished(view, batch.partials[name].frame)).drop("revisions"),
            in_order(view, finished(view, live)).drop("revisions"),
        )
