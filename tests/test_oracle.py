"""The oracle against figures worked out by hand."""

import json
from typing import Any

import pytest
from oracle import Oracle, OracleAccount, OracleRecord

MINUTE_US = 60_000_000
START_US = 1_723_161_240_000_000  # 2024-08-08T23:54:00Z, also the second minute but one of a window of five
LATER_MS = START_US // 1000 + 3_600_000


def record(offset: int, lane: str = "t/0", **changes: object) -> OracleRecord:
    trade: dict[str, Any] = {"symbol": "A", "trade_id": offset, "price": "1", "size": "1", "side": "buy"}
    trade |= {"event_time_us": START_US + offset, **changes}
    return OracleRecord(lane, offset, LATER_MS + offset, b"A", json.dumps(trade).encode())


def test_a_bar_by_hand() -> None:
    records = [
        record(0, price="10.5", size="2", event_time_us=START_US + 9),
        record(1, price="9", size="0.5", event_time_us=START_US + 7),
        record(2, price="12.00000001", size="1", event_time_us=START_US + 8),
        record(3, price="11", size="0.5", event_time_us=START_US + 9),
    ]
    (row,) = Oracle(records).rows("bars", 60, {"t/0": 4})
    assert row == {
        "venue": "simulator",
        "symbol": "A",
        "window_start": "2024-08-08T23:54:00Z",
        "window_end": "2024-08-08T23:55:00Z",
        "open": "9.00000000",
        "high": "12.00000001",
        "low": "9.00000000",
        "close": "11.00000000",
        "volume": "4.00000000",
        "notional": "43.0000000100000000",
        "trades": 4,
        "vwap": "10.75000000",
    }


def test_taker_flow_by_hand() -> None:
    records = [record(0, price="3", size="2"), record(1, price="4", size="1", side="sell")]
    (row,) = Oracle(records).rows("taker_flow", 300, {"t/0": 2})
    assert (row["window_start"], row["window_end"]) == ("2024-08-08T23:50:00Z", "2024-08-08T23:55:00Z")
    assert (row["buy_volume"], row["sell_volume"]) == ("2.00000000", "1.00000000")
    assert (row["buy_notional"], row["sell_notional"]) == ("6.0000000000000000", "4.0000000000000000")
    assert row["imbalance"] == "0.33333333"


@pytest.mark.parametrize(
    ("prices", "vwap"),
    [
        (("0.00000001", "0.00000002"), "0.00000002"),
        (("0.00000002", "0.00000003"), "0.00000002"),
        (("0.00000003", "0.00000004"), "0.00000004"),
    ],
)
def test_a_tie_goes_to_the_even_neighbour(prices: tuple[str, ...], vwap: str) -> None:
    records = [record(offset, price=price) for offset, price in enumerate(prices)]
    assert Oracle(records).rows("bars", 60, {"t/0": 2})[0]["vwap"] == vwap


def test_only_what_is_below_the_positions_counts_and_only_once() -> None:
    again = [record(0), record(1), record(2, trade_id=1), record(3), record(0, lane="t/1", trade_id=3)]
    oracle = Oracle(again)
    assert [row["trades"] for row in oracle.rows("bars", 60, {"t/0": 3})] == [2]
    assert [row["trades"] for row in oracle.rows("bars", 60, {"t/0": 4, "t/1": 1})] == [3]
    assert oracle.accounts({"t/0": 3, "t/1": 1}) == {
        "t/0": OracleAccount(read=3, folded=2, duplicates=1, dead_letters=0),
        "t/1": OracleAccount(read=1, folded=1, duplicates=0, dead_letters=0),
    }


def test_below_the_cut_a_copy_with_another_body_is_a_dead_letter_and_above_it_a_duplicate() -> None:
    oracle = Oracle([record(0), record(1, trade_id=0, price="2"), record(2), record(3, trade_id=2, side="sell")])
    told = oracle.accounts({"t/0": 4}, [{"t/0": 2}])
    assert told == {"t/0": OracleAccount(read=4, folded=2, duplicates=1, dead_letters=1)}
    assert [trade.offset for trade in oracle.conflicts([{"t/0": 2}, {"t/0": 4}])] == [1, 3]
    again = Oracle([record(0), record(1, trade_id=0, event_time_us=START_US, price="1.0"), record(5, trade_id=0)])
    assert [trade.offset for trade in again.conflicts([{"t/0": 2}, {"t/0": 6}])] == [5]


def test_finality_follows_the_cuts() -> None:
    next_minute = [record(offset, event_time_us=START_US + MINUTE_US) for offset in (1, 2, 3)]
    late = record(4, event_time_us=START_US + 5)
    oracle = Oracle([record(0), *next_minute, late])

    def first_row(position: int, *cuts: int) -> tuple[str, int]:
        row = oracle.rows("bars", 60, {"t/0": position}, [{"t/0": cut} for cut in cuts])[0]
        return row["finality"], row["revisions"]

    assert first_row(4) == ("provisional", 0)
    assert first_row(4, 3) == ("provisional", 0)  # two witnesses that the minute is over are not enough
    assert first_row(4, 4) == ("closed", 0)
    assert first_row(5, 4) == ("provisional", 0)
    assert first_row(5, 4, 5) == ("revised", 1)
    assert first_row(5, 5) == ("closed", 0)


def of_b(offset: int, **changes: object) -> OracleRecord:
    """A trade of a second symbol, an hour later, for the watermark."""
    return record(offset, symbol="B", trade_id=offset, event_time_us=START_US + 60 * MINUTE_US, **changes)


def a_row_and_gaps(records: list[OracleRecord], *cuts: int) -> tuple[str, int, list[tuple[int, int, str]]]:
    oracle, positions = Oracle(records, hole_age_s=0.005), [{"t/0": cut} for cut in cuts]
    row = oracle.rows("bars", 60, positions[-1], positions)[0]
    gaps = [(gap["first_id"], gap["last_id"], gap["state"]) for gap in oracle.gaps(positions)]
    return row["finality"], row["revisions"], gaps


def test_an_open_gap_holds_a_row_until_it_is_filled() -> None:
    a = [record(3, trade_id=1), record(4, trade_id=4), record(5, trade_id=2), record(6, trade_id=3)]
    records = [of_b(0), of_b(1), of_b(2), *a]
    assert a_row_and_gaps(records, 5) == ("provisional", 0, [(2, 3, "open")])
    assert a_row_and_gaps(records, 5, 6) == ("provisional", 0, [(3, 3, "open")])
    assert a_row_and_gaps(records, 5, 6, 7) == ("closed", 0, [])
    assert a_row_and_gaps(records, 5, 7) == ("closed", 0, [])


def test_a_gap_is_lost_when_it_is_old_and_a_dead_letter_makes_an_id_unusable() -> None:
    a = [record(3, trade_id=1), record(4, trade_id=4), record(5, trade_id=2, price="0")]
    later = [record(10, symbol="B", trade_id=3), record(11, trade_id=3)]
    records = [of_b(0), of_b(1), of_b(2), *a, *later]
    assert a_row_and_gaps(records, 6) == ("provisional", 0, [(2, 2, "unusable"), (3, 3, "open")])
    assert a_row_and_gaps(records, 6, 11) == ("closed", 0, [(2, 2, "unusable"), (3, 3, "lost")])
    assert a_row_and_gaps(records, 6, 11, 12) == ("revised", 1, [(2, 2, "unusable")])


def test_a_gap_that_is_found_after_the_row_had_closed_does_not_hide_the_revision() -> None:
    a = [record(3, trade_id=1), record(4, trade_id=3), record(5, trade_id=2)]
    records = [of_b(0), of_b(1), of_b(2), *a]
    assert a_row_and_gaps(records, 4) == ("closed", 0, [])
    assert a_row_and_gaps(records, 4, 5) == ("provisional", 1, [(2, 2, "open")])
    assert a_row_and_gaps(records, 4, 5, 6) == ("revised", 2, [])


@pytest.mark.parametrize(
    "changes",
    [
        {"price": "1.000000001"},
        {"price": "-1"},
        {"price": "0"},
        {"price": "1e3"},
        {"price": "NaN"},
        {"price": "12345678901"},
        {"price": "9999999999", "size": "101"},
        {"price": None},
        {"size": True},
        {"trade_id": "1"},
        {"trade_id": 2**63},
        {"trade_id": 1.5},
        {"side": "hold"},
        {"symbol": "a/b"},
        {"symbol": "a..b"},
        {"symbol": "A" * 65},
        {"event_time_us": 0},
        {"event_time_us": START_US + 86_400_000_000},
    ],
)
def test_what_is_no_trade_is_a_dead_letter(changes: dict[str, Any]) -> None:
    oracle = Oracle([record(0), record(1, **changes)])
    assert oracle.accounts({"t/0": 2}) == {"t/0": OracleAccount(read=2, folded=1, duplicates=0, dead_letters=1)}


FRAME = b'{"e":"trade","s":"A","t":7,"p":"2.5","q":"4","T":1723161255342,"m":true}'


@pytest.mark.parametrize("value", [FRAME, b'{"stream":"a@trade","data":' + FRAME + b"}"])
def test_an_exchange_frame_is_read_bare_and_wrapped(value: bytes) -> None:
    headers = (("source", b"binance-spot"), ("collected_us", b"1723161254000000"))
    (trade,) = Oracle([OracleRecord("t/0", 0, LATER_MS, b"A", value, headers)]).trades({"t/0": 1})
    assert (trade.venue, trade.symbol, trade.trade_id, trade.side) == ("binance", "A", 7, "sell")
    assert trade.notional == 10
    assert trade.event_us == trade.arrival_us == 1_723_161_255_342_000


def test_an_oracle_that_is_told_more_is_one_that_was_told_all() -> None:
    records = [record(offset, trade_id=offset % 5) for offset in range(12)]
    cuts = [{"t/0": 4}, {"t/0": 8}]
    told, whole = Oracle(records[:4]), Oracle(records)
    told.gaps(cuts[:1])
    told.add(records[2:])
    assert told.rows("bars", 60, {"t/0": 12}, cuts) == whole.rows("bars", 60, {"t/0": 12}, cuts)
    assert told.accounts({"t/0": 12}, cuts) == whole.accounts({"t/0": 12}, cuts)


def test_what_nobody_could_read_is_left_out_for_good() -> None:
    records = [record(offset) for offset in range(6)]
    oracle = Oracle(records)
    oracle.gaps([{"t/0": 6}])
    less = oracle.without([("t/0", 2, 4)])
    less.add(records)
    (row,) = less.rows("bars", 60, {"t/0": 6}, [{"t/0": 6}])
    assert row["trades"] == 4
    assert [(gap["first_id"], gap["last_id"]) for gap in less.gaps([{"t/0": 6}])] == [(2, 3)]
    assert oracle.gaps([{"t/0": 6}]) == []
