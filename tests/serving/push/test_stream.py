"""Streams over a real socket: rows as they change, and coming back without loss or repeat."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from event_stream import Told, streaming
from eventually import eventually
from served import Served, assert_is_problem, served
from small_market import SmallMarket

import serving.push.followed as followed_module
from serving.push.hub import Timing
from serving.receipts.remaking import Remaker

BARS = "/v1/views/bars/stream"
QUICK = Timing(tick_s=0.01, heartbeat_s=0.2)


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    """A market with a publication of two trades."""
    market = SmallMarket(tmp_path)
    market.trade("10:00:10")
    market.trade("10:01:00")
    market.cycle()
    return market


@pytest.fixture
def api(market: SmallMarket) -> Iterator[Served]:
    """Serving over that market, with a speed worker."""
    with market.live_side() as address, served(market.lake, address, timing=QUICK) as api:
        eventually(api.is_ready)
        yield api


def until(events: Iterator[Told], symbol: str, clock: str, finality: str, trades: int) -> list[Told]:
    """The events up to the one that tells such a row."""
    told = []
    for event in events:
        told.append(event)
        if (symbol, clock, finality, trades) in event.rows:
            return told
    raise AssertionError(f"the stream ended without {symbol} {clock} {finality} {trades}: {told}")


def test_a_stream_begins_with_the_rows_as_they_are(api: Served) -> None:
    with streaming(api.client, BARS, symbol="BTCUSDT", last=1) as events:
        event = next(events)
    answer = api.bars(symbol="BTCUSDT", last=1)
    assert (event.kind, event.data["because"]) == ("state", "begin")
    assert event.data.keys() == {"view", "because", "rows", "receipt", "freshness"}
    assert (event.data["rows"], event.data["receipt"]) == (answer["rows"], answer["receipt"])
    assert event.id == answer["receipt"]["token"]


def test_a_row_is_told_when_it_changes_is_closed_and_is_revised(api: Served, market: SmallMarket) -> None:
    with streaming(api.client, BARS, symbol="BTCUSDT") as events:
        assert next(events).rows == [("BTCUSDT", "10:00", "provisional", 1), ("BTCUSDT", "10:01", "provisional", 1)]
        market.trade("10:01:30", price="102")
        (change,) = until(events, "BTCUSDT", "10:01", "provisional", 2)
        assert (change.kind, change.rows, change.data["was"]) == (
            "change",
            [("BTCUSDT", "10:01", "provisional", 2)],
            [],
        )
        for clock in ("10:05:00", "10:05:01", "10:05:02"):
            market.trade(clock)
        until(events, "BTCUSDT", "10:05", "provisional", 3)
        market.cycle()
        until(events, "BTCUSDT", "10:01", "closed", 2)
        market.trade("10:01:59", price="105", arrives="10:06:00")
        late = until(events, "BTCUSDT", "10:01", "provisional", 3)[-1]
        assert [(row["trades"], row["high"], row["finality"]) for row in late.data["was"]] == [
            (2, "102.00000000", "closed")
        ]
        assert [row["high"] for row in late.data["rows"]] == ["105.00000000"]
        market.cycle()
        revised = until(events, "BTCUSDT", "10:01", "revised", 3)[-1]
        assert [row["revisions"] for row in revised.data["rows"] if row["finality"] == "revised"] == [1]


def test_the_receipt_of_an_event_makes_its_rows_again(api: Served, market: SmallMarket) -> None:
    with streaming(api.client, BARS, last=1) as events:
        next(events)
        for clock in ("10:02:00", "10:03:00", "10:04:00"):
            market.trade(clock)
        told = until(events, "BTCUSDT", "10:04", "provisional", 1)
    for clock in ("10:05:00", "10:05:01", "10:05:02"):
        market.trade(clock)
    market.cycle()
    for event in told:
        again = api.get(f"/v1/receipts/{event.data['receipt']['token']}").json()
        assert again["receipt"] == event.data["receipt"]
        assert [row for row in again["rows"] if row in event.data["rows"]] == event.data["rows"]


def test_no_window_is_passed_over_however_many_begin_at_once(api: Served, market: SmallMarket) -> None:
    with streaming(api.client, BARS, last=1, symbol="BTCUSDT") as events:
        next(events)
        for minute in range(2, 40):
            market.trade(f"10:{minute:02}:00")
        told = until(events, "BTCUSDT", "10:39", "provisional", 1)
    clocks = {clock for event in told for _, clock, _, _ in event.rows}
    assert clocks == {f"10:{minute:02}" for minute in range(2, 40)}


def test_a_symbol_that_is_new_to_a_wildcard_is_told(api: Served, market: SmallMarket) -> None:
    with streaming(api.client, BARS, symbol="*USDT") as events:
        next(events)
        market.trade("10:01:30", symbol="ETHUSDT", lane=1)
        assert until(events, "ETHUSDT", "10:01", "provisional", 1)[-1].rows == [("ETHUSDT", "10:01", "provisional", 1)]


def test_only_columns_that_are_asked_for_are_told_and_looked_at(api: Served, market: SmallMarket) -> None:
    with streaming(api.client, BARS, columns="high,trades", interval="5m") as events:
        (row,) = next(events).data["rows"]
        assert row.keys() == {"venue", "symbol", "window_start", "high", "trades", "finality"}
    with streaming(api.client, BARS, columns="high", interval="5m") as events:
        next(events)
        market.trade("10:01:10", price="90")
        market.trade("10:01:11", price="110")
        assert [row["high"] for row in next(events).data["rows"]] == ["110.00000000"]


def test_who_comes_back_is_told_what_it_missed_and_nothing_twice(api: Served, market: SmallMarket) -> None:
    with streaming(api.client, BARS) as events, streaming(api.client, BARS) as staying:
        begin = next(events)
        next(staying)
        for second, count in ((30, 2), (31, 3), (32, 4)):
            market.trade(f"10:01:{second}")
            told = until(staying, "BTCUSDT", "10:01", "provisional", count)
        (first, *_) = until(events, "BTCUSDT", "10:01", "provisional", 4)
    with streaming(api.client, BARS, last_event_id=begin.id) as events:
        assert next(events) == first
        assert until(events, "BTCUSDT", "10:01", "provisional", 4)[-1] == told[-1]
    with streaming(api.client, BARS, last_event_id=told[-1].id) as events:
        market.trade("10:01:33")
        assert next(events).rows == [("BTCUSDT", "10:01", "provisional", 5)]


def test_who_comes_back_after_long_is_told_plainly_that_rows_come_whole(api: Served) -> None:
    with streaming(api.client, BARS, last_event_id="0long.ago") as events:
        event = next(events)
    assert (event.kind, event.data["because"]) == ("state", "unknown_id")


def test_after_a_restart_a_reader_is_told_what_changed_since_and_nothing_twice(market: SmallMarket) -> None:
    with market.live_side() as address:
        with served(market.lake, address, timing=QUICK) as api:
            eventually(api.is_ready)
            with streaming(api.client, BARS) as events:
                before = next(events)
                api.stop()
                assert [(event.kind, event.data["reason"]) for event in events] == [("end", "stopping")]
        with served(market.lake, address, timing=QUICK) as api:
            eventually(api.is_ready)
            with streaming(api.client, BARS, last_event_id=before.id) as events:
                market.trade("10:01:30")
                assert next(events).rows == [("BTCUSDT", "10:01", "provisional", 2)]
        market.trade("10:01:31")
        with served(market.lake, address, timing=QUICK) as api:
            eventually(lambda: api.is_ready() and api.rows()[-1]["trades"] == 3)
            with (
                patch.object(Remaker, "answer", autospec=True, side_effect=Remaker.answer) as making_again,
                streaming(api.client, BARS, last_event_id=before.id) as events,
                streaming(api.client, BARS, last_event_id=before.id) as others,
            ):
                event = next(events)
                assert next(others) == event
                market.trade("10:01:32")
                assert next(events).rows == next(others).rows == [("BTCUSDT", "10:01", "provisional", 4)]
            with streaming(api.client, BARS, last_event_id=event.id) as events:
                assert next(events).rows == [("BTCUSDT", "10:01", "provisional", 4)]
    assert (event.kind, event.rows) == ("change", [("BTCUSDT", "10:01", "provisional", 3)])
    assert making_again.call_count == 1


def test_who_comes_back_to_another_question_is_told_all(api: Served) -> None:
    with streaming(api.client, BARS, last=2) as events:
        other = next(events)
    with streaming(api.client, BARS, last=1, last_event_id=other.id) as events:
        assert next(events).data["because"] == "unknown_id"


def test_many_readers_of_one_question_cost_one_computation_for_each_state(api: Served, market: SmallMarket) -> None:
    with patch.object(followed_module, "answer_of_known", wraps=followed_module.answer_of_known) as computing:
        streams = [streaming(api.client, BARS, symbol="BTCUSDT") for _ in range(20)]
        readers = [stream.__enter__() for stream in streams]
        for reader in readers:
            next(reader)
        market.trade("10:01:30")
        told = [until(reader, "BTCUSDT", "10:01", "provisional", 2) for reader in readers]
        for stream in streams:
            stream.__exit__(None, None, None)
    states = {call.args[1].positions.values() for call in computing.call_args_list}
    assert all(events == told[0] for events in told)
    assert computing.call_count <= len(states) == 1


def test_a_heartbeat_comes_where_nothing_else_does(api: Served) -> None:
    with api.client.stream("GET", BARS) as response:
        for line in response.iter_lines():
            if line == ": heartbeat":
                return


def test_streams_are_not_compressed_and_not_kept(api: Served) -> None:
    with api.client.stream("GET", BARS, headers={"Accept-Encoding": "gzip, zstd"}) as response:
        assert "content-encoding" not in response.headers
        assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/v1/views/none/stream", 404, ("no view 'none'", "Known: bars")),
        (f"{BARS}?symbol=NONE", 404, ("no symbol 'NONE'", "Known: BTCUSDT")),
        (f"{BARS}?interval=90s", 422, ("no multiple",)),
        (f"{BARS}?last=ten", 422, ("last", "integer")),
        (f"{BARS}?last=0", 422, ("last=0 is not between",)),
        (f"{BARS}?limit=3", 422, ("no parameter 'limit'", "last_event_id")),
        (f"{BARS}?columns=none", 404, ("'none'",)),
    ],
)
def test_what_cannot_be_followed_is_refused_before_the_stream_begins(
    api: Served, path: str, status: int, words: tuple[str, ...]
) -> None:
    assert_is_problem(api.client.get(path), status, *words)
