"""Slow readers: told the newest state in place of all that happened, then dropped with a reason; the others read on."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from event_stream import streaming
from eventually import eventually
from served import Served, served
from small_market import SmallMarket
from vouched import vouching

from serving.push.hub import Hub, Timing
from serving.push.reader import MOST_BEHIND, MOST_CONFLATED, Reader
from serving.query import parse_query
from serving.seam import Seam
from serving.speed_side import SpeedClient
from twofold.views import VIEWS

BARS = "/v1/views/bars/stream"
ROWS = 400
"""Symbols of the market: an event that tells a row of each is larger than what the sockets of the test hold."""

SMALL_BYTES = 4096


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    """A market of many symbols."""
    market = SmallMarket(tmp_path)
    trade_all(market, 0)
    market.cycle()
    return market


def trade_all(market: SmallMarket, second: int) -> None:
    for number in range(ROWS):
        market.trade(f"10:00:{second:02}", symbol=f"S{number:03}", trade_id=second * 1000 + number)


@pytest.fixture
def api(market: SmallMarket) -> Iterator[Served]:
    """Serving that holds little of what a connection has not taken, and gives readers little time."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BYTES)
    timing = Timing(tick_s=0.01, stalled_s=1.0, grace_s=5.0)
    with (
        listening,
        market.live_side() as address,
        served(market.lake, address, timing=timing, listening=listening) as api,
    ):
        eventually(api.is_ready)
        yield api


def opened(api: Served) -> socket.socket:
    """A connection that asked for a stream of all symbols, and has taken nothing of it."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BYTES)
    connection.settimeout(60)
    host, port = api.client.base_url.host, api.client.base_url.port
    assert port is not None
    connection.connect((host, port))
    connection.sendall(f"GET {BARS}?last=1 HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    return connection


def kinds(raw: bytes) -> list[tuple[str, str | None]]:
    """The kinds of whole events in what was taken, with what they are because of, or their reason."""
    body = raw.partition(b"\r\n\r\n")[2]
    plain = bytearray()
    while body:  # chunked transfer coding (RFC 9112, 7.1)
        size, _, body = body.partition(b"\r\n")
        plain += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    told = []
    for block in plain.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":"))
        if "data" in fields:
            data = json.loads(fields["data"])
            told.append((fields["event"], data.get("because") or data.get("reason")))
    return told


def everything(connection: socket.socket) -> bytes:
    raw = b""
    while chunk := connection.recv(1 << 20):
        raw += chunk
        if raw.endswith(b"0\r\n\r\n"):
            break
    return raw


def test_a_reader_that_takes_nothing_is_dropped_with_a_reason_and_the_others_read_on(
    api: Served, market: SmallMarket, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "serving.push.sse")
    with opened(api) as slow, streaming(api.client, BARS, last=1) as events:
        next(events)
        for second in range(1, 8):
            trade_all(market, second)
            told: set[str] = set()
            while len(told) < ROWS:
                told |= {symbol for symbol, _, _, trades in next(events).rows if trades == second + 1}
        eventually(lambda: "dropped" in caplog.text)
        kinds_told = kinds(everything(slow))
    assert kinds_told[0] == ("state", "begin")
    assert kinds_told[-1] == ("end", "slow")


def test_a_reader_that_is_behind_is_told_the_newest_state_and_at_last_dropped(market: SmallMarket) -> None:
    async def read(seam: Seam) -> list[tuple[str, int]]:
        hub = Hub(seam, vouching(market.lake), Timing(tick_s=0.001))
        query = parse_query(VIEWS["bars"], symbol="S000", last=1)
        told, second = [], 0
        async with hub.reading(query, None) as slow, hub.reading(query, None) as fast:
            told += [await taken(slow)]
            await taken(fast)
            for _ in range(MOST_CONFLATED + 1):
                for _ in range(MOST_BEHIND + 1):
                    second += 1
                    market.trade("10:00:59", symbol="S000", trade_id=second * 1000)
                    assert await taken(fast) == ("change", second + 1)
                told += [await taken(slow)]
        await hub.stop()
        return told

    with market.live_side() as address:
        seam = Seam(market.lake, SpeedClient(address), VIEWS)
        seam.start()
        eventually(lambda: seam.current)
        told = asyncio.run(read(seam))
        seam.stop()
    newest = [("behind", 1 + (MOST_BEHIND + 1) * times) for times in range(1, MOST_CONFLATED + 1)]
    assert told == [("begin", 1), *newest, ("slow", 0)]


async def taken(reader: Reader) -> tuple[str, int]:
    """What the next event is because of, or its kind, and how many trades its row has."""
    event = await reader.next()
    assert event is not None
    data = json.loads(event.message)["data"]
    why = data.get("because") or data.get("reason") or event.kind
    return why, sum(row["trades"] for row in data.get("rows", []))
