"""Copies that are less than those which count: what they change, and what they do not."""

import polars as pl
from trade_maker import BEGIN_US, trade_row, trades_frame

from speed_layer.copies import Copies
from speed_layer.correction import Correction, find_correction
from twofold.account import Account
from twofold.ledger import Intervals, Ledger

TAKEN = [trade_row(1, arrival_us=BEGIN_US + 5, lane="t/1", offset=7), trade_row(2, arrival_us=BEGIN_US + 5, offset=3)]


def correction_by(*repeated: dict[str, object], base: Ledger | None = None) -> Correction | None:
    copies = Copies().add(1, Ledger().sort_out(trades_frame(TAKEN))).packed()
    return find_correction(copies, base or Ledger(), trades_frame(list(repeated)))


def offsets(frame: pl.DataFrame) -> list[int]:
    return sorted(frame["offset"])


def test_a_copy_that_is_not_less_changes_nothing() -> None:
    greater = trade_row(1, price="7", arrival_us=BEGIN_US + 5, lane="t/1", offset=8)
    assert correction_by(greater) is None
    assert correction_by(greater | {"lane": "t/2", "offset": 1}) is None
    assert correction_by(greater | {"arrival_time": BEGIN_US + 6, "lane": "t/0"}) is None


def test_less_is_by_arrival_then_lane_then_offset() -> None:
    for changes in ({"arrival_time": BEGIN_US + 4, "lane": "t/2"}, {"lane": "t/0", "offset": 9}, {"offset": 6}):
        correction = correction_by(TAKEN[0] | {"offset": 99} | changes)
        assert correction is not None
        assert correction.taken.fresh.height == 1


def test_of_a_lesser_copy_that_says_the_same_only_the_accounts_tell() -> None:
    correction = correction_by(TAKEN[0] | {"lane": "t/0"})
    assert correction is not None
    assert correction.otherwise.is_empty()
    assert correction.beaten.is_empty()
    before = {"t/1": Account(read=2, folded=1, duplicates=1), "t/0": Account(read=1, duplicates=1)}
    assert correction.accounts(before) == {
        "t/1": Account(read=2, duplicates=2),
        "t/0": Account(read=1, folded=1),
    }


def test_a_lesser_copy_with_another_body_beats_the_one_that_counted() -> None:
    for changes in ({"price": "7"}, {"size": "7"}, {"side": "sell"}, {"event_us": BEGIN_US + 1}):
        correction = correction_by(trade_row(1, arrival_us=BEGIN_US + 4, lane="t/0", offset=2, **changes))  # type: ignore[arg-type]  # fields by name
        assert correction is not None
        assert (offsets(correction.otherwise), offsets(correction.beaten)) == ([2], [7])


def test_of_several_lesser_copies_the_least_is_taken() -> None:
    lesser = [trade_row(1, price=str(n), arrival_us=BEGIN_US + n, lane="t/0", offset=n) for n in (4, 2, 3)]
    correction = correction_by(*lesser)
    assert correction is not None
    assert offsets(correction.taken.fresh) == [2]


def test_a_trade_below_the_cut_has_been_settled() -> None:
    base = Ledger()
    base.add(Intervals([("test", "BTCUSDT")], [0], [1], [1]))
    assert correction_by(TAKEN[0] | {"lane": "t/0"}, base=base) is None


def test_what_was_beaten_once_is_not_beaten_again() -> None:
    copies = Copies().add(1, Ledger().sort_out(trades_frame(TAKEN))).packed()
    first = find_correction(copies, Ledger(), trades_frame([trade_row(1, price="7", arrival_us=BEGIN_US + 4)]))
    assert first is not None
    copies = copies.without(first.beaten).add(2, first.taken).packed()
    again = trade_row(1, arrival_us=BEGIN_US + 3, lane="t/0", offset=20)
    second = find_correction(copies, Ledger(), trades_frame([again]))
    assert second is not None
    assert (offsets(second.otherwise), offsets(second.beaten)) == ([20], [0])
