from itertools import pairwise

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from trade_maker import trade_row, trades_frame

from twofold.ledger import INTERVAL_SCHEMA, Intervals, Ledger, coalesce

KEYS = (-(2**63), -(2**63) + 1, -5, -4, -3, -1)
NUMBERS = st.sampled_from([*range(12), 2**63 - 3, 2**63 - 2, 2**63 - 1])
IDS = st.sampled_from(KEYS) | NUMBERS
ARRIVALS = st.tuples(st.sampled_from("AB"), IDS, st.integers(0, 3), st.sampled_from(["t/0", "t/1"]))


def ids(ledger: Ledger) -> set[tuple[str, int]]:
    return {(symbol, i) for _, symbol, first, last in ledger.frame.rows() for i in range(first, last + 1)}


@given(st.lists(st.lists(ARRIVALS, max_size=12), max_size=6))
def test_each_trade_counts_once_and_the_least_arrival_lane_and_offset_wins(
    batches: list[list[tuple[str, int, int, str]]],
) -> None:
    ledger, seen, offset = Ledger(), set[tuple[str, int]](), 0
    for batch in batches:
        rows, expected = [], dict[tuple[str, int], tuple[int, str, int]]()
        for symbol, trade_id, arrival_us, lane in batch:
            rows.append(trade_row(trade_id, symbol=symbol, event_us=0, arrival_us=arrival_us, lane=lane, offset=offset))
            place = (arrival_us, lane, offset)
            if (symbol, trade_id) not in seen:
                expected[symbol, trade_id] = min(place, expected.get((symbol, trade_id), place))
            offset += 1
        told_apart = ledger.sort_out(trades_frame(rows))
        ledger.add(told_apart.added)
        fresh = {(row["symbol"], row["trade_id"]): row["offset"] for row in told_apart.fresh.iter_rows(named=True)}
        assert fresh == {key: place[2] for key, place in expected.items()}
        assert told_apart.fresh.height + told_apart.repeated.height == len(rows)
        seen |= set(expected)
        assert ids(ledger) == seen


@given(st.lists(st.tuples(st.sampled_from("AB"), IDS), unique=True))
def test_intervals_are_sorted_and_never_touch(seen: list[tuple[str, int]]) -> None:
    rows = [trade_row(trade_id, symbol=symbol, offset=n) for n, (symbol, trade_id) in enumerate(seen)]
    ledger = Ledger()
    ledger.add(ledger.sort_out(trades_frame(rows)).added)
    frame = ledger.frame
    assert frame.schema == INTERVAL_SCHEMA
    spans = frame.rows()
    assert spans == sorted(spans)
    for (_, symbol, _, last), (_, next_symbol, first, _) in pairwise(spans):
        assert symbol != next_symbol or first - last > 1 or last in KEYS


def test_contiguous_ids_cost_one_interval_however_many_they_are() -> None:
    ledger = Ledger()
    for start in range(0, 3000, 1000):
        rows = [trade_row(trade_id, offset=trade_id) for trade_id in range(start, start + 1000)]
        ledger.add(ledger.sort_out(trades_frame(rows)).added)
    assert ledger.frame.rows() == [("test", "BTCUSDT", 0, 2999)]


def test_ids_of_other_venues_are_other_trades() -> None:
    ledger = Ledger()
    ledger.add(ledger.sort_out(trades_frame([trade_row(1, venue="spot")])).added)
    assert ledger.sort_out(trades_frame([trade_row(1, venue="futures")])).fresh.height == 1
    assert ledger.sort_out(trades_frame([trade_row(1, venue="spot")])).fresh.height == 0


def test_fresh_trades_keep_their_order() -> None:
    rows = [trade_row(trade_id, offset=n) for n, trade_id in enumerate([5, 3, 9, 3, 1])]
    assert Ledger().sort_out(trades_frame(rows)).fresh["trade_id"].to_list() == [5, 3, 9, 1]


INTERVALS = st.lists(st.tuples(st.sampled_from("AB"), NUMBERS, st.integers(0, 3)))


@given(INTERVALS, INTERVALS)
def test_intervals_taken_over_and_added_in_any_order_hold_all_their_ids_once(
    first: list[tuple[str, int, int]], more: list[tuple[str, int, int]]
) -> None:
    spans = [
        [(symbol, begin, min(begin + length, 2**63 - 1)) for symbol, begin, length in part] for part in (first, more)
    ]
    rows = [("test", *span) for span in spans[0]]
    ledger = Ledger(pl.DataFrame(rows, schema=INTERVAL_SCHEMA, orient="row"))
    for symbol, begin, end in spans[1]:
        ledger.add(Intervals([("test", symbol)], [0], [begin], [end]))
    assert ids(ledger) == {(symbol, i) for part in spans for symbol, begin, end in part for i in range(begin, end + 1)}
    for (_, symbol, _, last), (_, next_symbol, begin, _) in pairwise(ledger.frame.rows()):
        assert symbol != next_symbol or begin - last > 1


def test_a_copy_has_an_owner_of_its_own() -> None:
    ledger = Ledger()
    ledger.add(Intervals([("test", "A")], [0], [1], [3]))
    copy = ledger.copy()
    copy.add(Intervals([("test", "A")], [0], [4], [9]))
    assert ids(ledger) == {("A", i) for i in (1, 2, 3)}
    assert ids(copy) == {("A", i) for i in range(1, 10)}


@given(INTERVALS, INTERVALS)
def test_what_has_not_been_seen_of_intervals_is_all_of_them_but_what_has(
    seen: list[tuple[str, int, int]], asked: list[tuple[str, int, int]]
) -> None:
    ledger, frame = (
        pl.DataFrame(
            [("test", symbol, begin, min(begin + length, 2**63 - 1)) for symbol, begin, length in part],
            schema=INTERVAL_SCHEMA,
            orient="row",
        )
        for part in (seen, asked)
    )
    unseen = Ledger(ledger).unseen(frame)
    assert unseen.schema == INTERVAL_SCHEMA
    every = {(symbol, i) for _, symbol, first, last in frame.rows() for i in range(first, last + 1)}
    left = {(symbol, i) for _, symbol, first, last in unseen.rows() for i in range(first, last + 1)}
    assert left == every - ids(Ledger(ledger))


def test_numbers_of_keys_are_never_joined_so_that_each_is_forgotten_in_its_own_time() -> None:
    rows = [trade_row(trade_id, offset=place) for place, trade_id in enumerate([-3, -2, -1, 0, 1])]
    ledger = Ledger()
    ledger.add(ledger.sort_out(trades_frame(rows)).added)
    spans = [(-3, -3), (-2, -2), (-1, -1), (0, 1)]
    assert ledger.frame.select("first_id", "last_id").rows() == spans
    assert coalesce(pl.concat([ledger.frame, ledger.frame])).select("first_id", "last_id").rows() == spans
    assert Ledger(ledger.frame).frame.equals(ledger.frame)
    asked = pl.concat([intervals_of(-4, -2, -9), intervals_of(1)])
    assert ledger.unseen(asked)["first_id"].to_list() == [-4, -9]


def test_keys_that_come_as_intervals_are_all_taken_in_though_each_names_its_market_anew() -> None:
    ledger = Ledger()
    ledger.add(Intervals([("test", "A"), ("test", "B"), ("test", "A")], [0, 1, 2], [-9, -9, 4], [-9, -9, 5]))
    ledger.add(Intervals([("test", "A"), ("test", "A"), ("test", "A")], [0, 1, 2], [-7, -8, 6], [-7, -8, 6]))
    expected = [("A", -9, -9), ("A", -8, -8), ("A", -7, -7), ("A", 4, 6), ("B", -9, -9)]
    assert ledger.frame.select("symbol", "first_id", "last_id").rows() == expected


def test_a_copy_of_a_ledger_has_an_owner_of_its_own_for_keys_too() -> None:
    ledger = Ledger()
    ledger.add(ledger.sort_out(trades_frame([trade_row(-7)])).added)
    other = ledger.copy()
    other.add(other.sort_out(trades_frame([trade_row(-8), trade_row(5)])).added)
    assert (ledger.frame.height, other.frame.height) == (1, 3)


def intervals_of(*trade_ids: int) -> pl.DataFrame:
    """Intervals of one id each."""
    count = len(trade_ids)
    columns = {"venue": ["test"] * count, "symbol": ["BTCUSDT"] * count, "first_id": trade_ids, "last_id": trade_ids}
    return pl.DataFrame(columns, schema=INTERVAL_SCHEMA)
