import threading
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from small_market import LANES, SmallMarket, batch, time_us, trade_value

from speed_layer.base import Base, load_base
from speed_layer.base_fold import BaseFold
from twofold.account import Account
from twofold.fold import merge
from twofold.lane import Positions
from twofold.records import Lost, RecordBatch
from twofold.source import SHIPPED_SOURCES
from twofold.views import VIEWS

BARS = VIEWS["bars"]


def fold_on(base: Base) -> BaseFold:
    return BaseFold(base, VIEWS, SHIPPED_SOURCES, "simulator")


def apply(fold: BaseFold, positions: Positions, *batches: RecordBatch, lost: Sequence[Lost] = ()) -> None:
    fold.apply(batches, positions, lost)


def bars(fold: BaseFold) -> pl.DataFrame:
    return merge(BARS, fold.snapshot.logs["bars"].since(0)).sort(BARS.group)


def test_a_new_fold_stands_at_the_cut_of_its_base() -> None:
    snapshot = fold_on(Base(sequence=3, cut={LANES[0]: 7})).snapshot
    assert (snapshot.positions, snapshot.accounts, snapshot.newest_event_us) == ({LANES[0]: 7}, {}, None)


def test_trades_are_folded_into_every_view_and_positions_move() -> None:
    fold = fold_on(Base())
    apply(fold, {LANES[0]: 2}, batch(trade_value("10:00:00", 1), trade_value("10:00:30", 2, price="101", side="sell")))
    (bar,) = bars(fold).select("open", "close", "trades").cast({"open": pl.Int64, "close": pl.Int64}).rows()
    assert bar == (100, 101, 2)
    flow = fold.snapshot.logs["taker_flow"].since(0).select("buy_volume", "sell_volume").cast(pl.Int64).rows()
    assert flow == [(1, 1)]
    assert fold.snapshot.positions == {LANES[0]: 2}
    assert fold.snapshot.newest_event_us == time_us("10:00:30")


def test_every_record_is_accounted_for() -> None:
    fold = fold_on(Base())
    first = batch(trade_value("10:00:00", 1), b"{", trade_value("10:00:00", 1), None)
    apply(fold, {LANES[0]: 4}, first)
    gone = Lost(LANES[0], 4, 9)
    apply(fold, {LANES[0]: 9, LANES[1]: 1}, batch(trade_value("10:00:01", 1), lane=LANES[1]), lost=[gone])
    assert fold.snapshot.accounts == {
        LANES[0]: Account(read=9, folded=1, duplicates=1, dead_letters=2, lost=5),
        LANES[1]: Account(read=1, duplicates=1),
    }
    assert all(account.balanced for account in fold.snapshot.accounts.values())
    assert fold.snapshot.lost == (gone,)


def test_what_the_base_has_seen_does_not_count_again(tmp_path: Path) -> None:
    market = SmallMarket(tmp_path)
    market.trade("10:00:00", trade_id=5)
    fold = fold_on(load_base(market.lake, market.cycle(), SHIPPED_SOURCES))
    apply(fold, {LANES[0]: 3}, batch(trade_value("10:00:00", 5), trade_value("10:00:01", 6), offset=1))
    assert bars(fold)["trades"].to_list() == [1]
    assert fold.snapshot.accounts == {LANES[0]: Account(read=2, folded=1, duplicates=1)}


def test_equal_records_from_an_equal_base_make_an_equal_state_however_they_are_cut_up() -> None:
    values = [trade_value(f"10:0{number % 4}:00", number % 17, price=str(1 + number % 17)) for number in range(40)]
    at_once, one_by_one = fold_on(Base()), fold_on(Base())
    apply(at_once, {LANES[0]: 40}, batch(*values))
    for offset, value in enumerate(values):
        apply(one_by_one, {LANES[0]: offset + 1}, batch(value, offset=offset))
    assert_frame_equal(bars(at_once), bars(one_by_one))
    assert at_once.snapshot.accounts == one_by_one.snapshot.accounts
    assert at_once.snapshot.positions == one_by_one.snapshot.positions
    assert at_once.incarnation != one_by_one.incarnation


def test_a_lesser_copy_with_another_body_takes_the_place_of_the_one_that_was_folded() -> None:
    fold = fold_on(Base())
    apply(
        fold, {LANES[0]: 0, LANES[1]: 2}, batch(trade_value("10:05:00", 1), trade_value("10:00:00", 2), lane=LANES[1])
    )
    lesser = trade_value("10:00:30", 1, price="101", side="sell")
    apply(fold, {LANES[0]: 1, LANES[1]: 2}, batch(lesser))
    (bar,) = bars(fold).select("open", "close", "trades").cast({"open": pl.Int64, "close": pl.Int64}).rows()
    assert bar == (100, 101, 2)
    assert fold.snapshot.newest_event_us == time_us("10:00:30")
    assert fold.snapshot.accounts == {
        LANES[0]: Account(read=1, folded=1),
        LANES[1]: Account(read=2, folded=1, duplicates=1),
    }


def test_positions_move_over_offsets_without_records() -> None:
    fold = fold_on(Base())
    version = fold.snapshot.version
    fold.move_to({LANES[0]: 12})
    assert (fold.snapshot.positions, fold.snapshot.accounts) == ({LANES[0]: 12}, {})
    assert fold.snapshot.version == version + 1


def test_a_snapshot_stays_as_it_was_while_folding_goes_on() -> None:
    fold = fold_on(Base())
    apply(fold, {LANES[0]: 1}, batch(trade_value("10:00:00", 1)))
    before = fold.snapshot
    apply(fold, {LANES[0]: 2}, batch(trade_value("10:00:01", 2), offset=1))
    assert before.positions == {LANES[0]: 1}
    assert before.logs["bars"].since(0)["trades"].to_list() == [1]


def test_who_waits_for_a_change_gets_it_when_it_comes() -> None:
    fold = fold_on(Base())
    thread = threading.Thread(target=fold.move_to, args=({LANES[0]: 1},))
    version = fold.snapshot.version
    thread.start()
    assert fold.wait_for_change(version, timeout_s=60).positions == {LANES[0]: 1}
    thread.join()


@pytest.mark.parametrize("timeout_s", [0, 0.01])
def test_who_waits_in_vain_gets_the_state_as_it_is(timeout_s: float) -> None:
    fold = fold_on(Base())
    assert fold.wait_for_change(fold.snapshot.version, timeout_s) is fold.snapshot
