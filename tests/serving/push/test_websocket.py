"""Streams over a WebSocket: the same events as server-sent events, for programs and pages of this address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from event_stream import streaming
from eventually import eventually
from served import Served, served
from small_market import SmallMarket
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from serving.push.hub import Timing

BARS = "/v1/views/bars/stream"


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> SmallMarket:
    """A market with a publication of one trade."""
    market = SmallMarket(Path(tmp_path_factory.mktemp("market")))
    market.trade("10:00:10")
    market.cycle()
    return market


@pytest.fixture(scope="module")
def address(market: SmallMarket) -> Iterator[str]:
    """Where a speed worker listens."""
    with market.live_side() as address:
        yield address


@pytest.fixture
def api(market: SmallMarket, address: str) -> Iterator[Served]:
    """Serving over that market."""
    with served(market.lake, address, timing=Timing(tick_s=0.01)) as api:
        eventually(api.is_ready)
        yield api


def opened(api: Served, path: str = BARS, **headers: str) -> ClientConnection:
    """A WebSocket to a path."""
    url = str(api.client.base_url).replace("http", "ws", 1) + path
    return connect(url, additional_headers=headers, compression=None)


def told(socket: ClientConnection) -> dict[str, Any]:
    """The next message."""
    message: dict[str, Any] = json.loads(socket.recv(timeout=60))
    return message


def test_the_events_are_those_of_server_sent_events(api: Served, market: SmallMarket) -> None:
    with streaming(api.client, BARS) as events, opened(api) as socket:
        state, message = next(events), told(socket)
        assert (message["event"], message["id"], message["data"]["rows"]) == ("state", state.id, state.data["rows"])
        market.trade("10:00:30")
        change, message = next(events), told(socket)
        assert message == {"event": "change", "id": change.id, "data": change.data}


def test_who_comes_back_goes_on_by_the_last_id(api: Served, market: SmallMarket) -> None:
    with opened(api) as socket:
        state = told(socket)
    with opened(api) as socket:
        told(socket)
        market.trade("10:00:31")
        change = told(socket)
    with opened(api, f"{BARS}?last_event_id={state['id']}") as socket:
        assert told(socket) == change
    with opened(api, **{"Last-Event-ID": state["id"]}) as socket:
        assert told(socket) == change


def test_the_last_message_says_why_a_stream_ends(api: Served) -> None:
    with opened(api) as socket:
        told(socket)
        socket.send("what a reader says is passed over")
        api.stop()
        assert told(socket)["data"]["reason"] == "stopping"
        with pytest.raises(ConnectionClosedError) as closed:
            told(socket)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013


@pytest.mark.parametrize(
    ("path", "headers", "status", "words"),
    [
        ("/v1/views/none/stream", {}, 404, "Known: bars"),
        (f"{BARS}?last=ten", {}, 422, "integer"),
        (f"{BARS}?Symbol=A", {}, 422, "no parameter 'Symbol'"),
        (f"{BARS}?symbol=A", {}, 404, "no symbol 'A'"),
        (BARS, {"Origin": "https://elsewhere.example"}, 403, "https://elsewhere.example"),
        (BARS, {"Origin": "null"}, 403, "null"),
        (BARS, {f"X-{number}": "x" * 7000 for number in range(5)}, 431, "bytes"),
    ],
)
def test_a_refusal_is_a_problem_in_place_of_a_stream(
    api: Served, path: str, headers: dict[str, str], status: int, words: str
) -> None:
    with pytest.raises(InvalidStatus) as refused, opened(api, path, **headers):
        pass
    response = refused.value.response
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert words in json.loads(response.body)["detail"]


def test_a_page_of_this_address_may_read(api: Served) -> None:
    with opened(api, Origin=str(api.client.base_url).rstrip("/")) as socket:
        assert told(socket)["event"] == "state"
