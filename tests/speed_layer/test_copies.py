"""What a fold has taken, packed and found again, to the last digit."""

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from trade_maker import BEGIN_US, markets, trade_row, trades_frame

from speed_layer.copies import RECENT, ROW, TRADE, Chunk, Copies
from twofold.decoding import TRADE_SCHEMA
from twofold.ledger import Ledger

MINUTE_US = 60_000_000


def copies_of(*micro_batches: list[dict[str, object]]) -> Copies:
    copies = Copies()
    for version, rows in enumerate(micro_batches, start=1):
        copies = copies.add(version, Ledger().sort_out(trades_frame(rows)))
    return copies


def window(minute: int, symbol: str = "BTCUSDT") -> pl.DataFrame:
    start = pl.Series([BEGIN_US + minute * MINUTE_US]).cast(TRADE_SCHEMA["event_time"])
    return pl.DataFrame({"venue": ["test"], "symbol": [symbol], "window_start": start})


@given(st.lists(markets(max_trades=8), min_size=1, max_size=4))
def test_every_copy_is_found_by_its_trade_as_it_was(micro_batches: list[list[dict[str, object]]]) -> None:
    frames = [trades_frame(rows) for rows in micro_batches]
    everything = pl.concat(frames)
    found = copies_of(*micro_batches).packed().of(everything.select(TRADE).unique())
    order = [*TRADE, "offset", "event_time", "price", "size", "side"]
    assert found.schema == TRADE_SCHEMA
    assert_frame_equal(found.sort(order), everything.sort(order))


def test_what_has_not_been_taken_is_not_found() -> None:
    copies = copies_of([trade_row(1), trade_row(2)]).packed()
    others = [trade_row(3), trade_row(1, symbol="ETHUSDT"), trade_row(1, venue="elsewhere")]
    assert copies.of(trades_frame(others)).is_empty()
    assert Copies().of(trades_frame(others)).is_empty()


def test_a_trade_takes_as_many_bytes_as_is_said() -> None:
    copies = copies_of([trade_row(number) for number in range(100)]).packed()
    assert ROW.itemsize == 57
    assert sum(chunk.rows.nbytes for chunk in copies.chunks) == 57 * copies.count


def test_chunks_stay_few_and_nothing_is_lost_when_they_are_joined() -> None:
    count = RECENT * 20
    copies = copies_of(*([trade_row(number, offset=number)] for number in range(count)))
    copies = copies.packed()
    assert len(copies.chunks) < 10
    assert copies.of(trades_frame([trade_row(number) for number in range(count)])).height == count
    assert [len(chunk.since(count - 3)) for chunk in copies.chunks][-1] == 3


def test_a_chunk_tells_what_came_after_a_version() -> None:
    (chunk,) = copies_of([trade_row(1), trade_row(2)], [trade_row(3)]).packed().chunks
    assert [chunk.since(version)["trade_id"].tolist() for version in (0, 1, 2)] == [[1, 2, 3], [3], []]


def test_trades_whose_keys_are_the_same_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speed_layer.copies._SPREAD", 0)
    copies = copies_of([trade_row(1, price="5"), trade_row(1, symbol="ETHUSDT", price="6")]).packed()
    assert copies.of(trades_frame([trade_row(1, symbol="ETHUSDT")]))["price"].to_list() == [Decimal(6)]


def test_what_counts_in_a_window_is_the_least_of_each_trade_that_was_not_beaten() -> None:
    rows = [
        trade_row(1, arrival_us=BEGIN_US + 9, offset=1),
        trade_row(2, offset=2),
        trade_row(3, event_us=BEGIN_US + MINUTE_US, offset=3),
        trade_row(4, symbol="ETHUSDT", offset=4),
    ]
    copies = copies_of(rows, [trade_row(1, arrival_us=BEGIN_US + 8, offset=5)]).packed()
    assert sorted(copies.in_windows(window(0), MINUTE_US)["offset"]) == [2, 5]
    beaten = trades_frame([trade_row(2, offset=2)])
    assert copies.without(beaten).in_windows(window(0), MINUTE_US)["offset"].to_list() == [5]
    assert copies.in_windows(window(1), MINUTE_US)["offset"].to_list() == [3]
    assert copies.in_windows(window(2), MINUTE_US).is_empty()


def test_the_newest_event_is_of_what_was_not_beaten() -> None:
    copies = copies_of([trade_row(1), trade_row(2, event_us=BEGIN_US + 5, offset=1)])
    assert copies.newest_event_us() == BEGIN_US + 5
    assert copies.without(trades_frame([trade_row(2, offset=1)])).newest_event_us() == BEGIN_US
    assert Copies().newest_event_us() is None


def test_an_index_is_made_once() -> None:
    (chunk,) = copies_of([trade_row(1)]).packed().chunks
    assert isinstance(chunk, Chunk)
    assert chunk.index is chunk.index
