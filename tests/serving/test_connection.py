"""Connections: what comes too slowly, or too much of it, is refused or cut off, and others do not notice."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from fastapi import FastAPI, Request
from served import Served, running, served
from small_market import SmallMarket

from serving import bounds, connection
from serving.reply import reply

QUICK_S = 0.3
GET = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
ENOUGH_BYTES = 256 * 1024**2
"""More than a flood may get rid of before it is cut off, with all that lies in the buffers of both sides."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(SmallMarket(tmp_path_factory.mktemp("market")).lake) as api:
        yield api


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A patience of a fraction of a second."""
    monkeypatch.setattr(connection, "COMES_WITHIN_S", QUICK_S)
    monkeypatch.setattr(connection, "TAKEN_WITHIN_S", QUICK_S)


def opened(api: Served) -> closing[socket.socket]:
    return closing(socket.create_connection(("127.0.0.1", api.client.base_url.port), timeout=60))


def rest_of(peer: socket.socket) -> bytes:
    """All that comes until the connection is closed."""
    parts = []
    try:
        while part := peer.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def problem_in(response: bytes) -> tuple[int, str]:
    """Status and type of a response that is a problem."""
    head, _, body = response.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert b"content-type: application/problem+json" in lines
    assert b"connection: close" in lines
    told = json.loads(body)
    assert int(lines[0].split()[1]) == told["status"]
    return told["status"], told["type"].rpartition("/")[2]


def keep_sending(peer: socket.socket, piece: Callable[[], bytes], pause_s: float = 0.0) -> int:
    """Send until the other side does not take it any more; gives how much it took."""
    sent = 0
    try:
        while sent < ENOUGH_BYTES:
            sent += peer.send(piece())
            if pause_s:
                time.sleep(pause_s)
    except (BrokenPipeError, ConnectionResetError):
        pass
    return sent


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"G",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        b"POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n",
        b"\r\n\r\n",
    ],
)
def test_a_request_that_does_not_come_whole_is_given_up(api: Served, beginning: bytes) -> None:
    with opened(api) as peer:
        peer.sendall(beginning)
        assert problem_in(rest_of(peer)) == (408, "too_slow")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("drop", [b"X", b"\r\n"])
def test_a_request_that_comes_drop_by_drop_is_given_up(api: Served, drop: bytes) -> None:
    with opened(api) as peer:
        peer.sendall(GET[:-2] if drop == b"X" else b"")
        keep_sending(peer, lambda: drop, pause_s=QUICK_S / 10)
        assert peer.recv(1) in {b"H", b""}


@pytest.mark.usefixtures("quick")
def test_lines_between_requests_do_not_keep_a_connection(api: Served) -> None:
    with opened(api) as peer:
        peer.sendall(GET + b"\r\n")
        assert peer.recv(65_536).startswith(b"HTTP/1.1 200")
        peer.sendall(b"\r\n")
        assert problem_in(rest_of(peer)) == (408, "too_slow")


@pytest.mark.usefixtures("quick")
def test_whoever_asks_at_once_is_not_held_to_it(api: Served) -> None:
    with opened(api) as peer:
        for _ in range(3):
            peer.sendall(GET + b"\r\n")
            assert peer.recv(65_536).startswith(b"HTTP/1.1 200")
            time.sleep(QUICK_S * 1.5)  # kept by uvicorn's own time between requests, which is longer


def test_requests_that_come_together_are_answered_in_turn(api: Served) -> None:
    with opened(api) as peer:
        peer.sendall((GET + b"\r\n") * 20 + GET + b"Connection: close\r\n\r\n")
        assert rest_of(peer).count(b'{"status":"alive"}') == 21


def test_a_flood_of_headers_is_cut_off(api: Served) -> None:
    with opened(api) as peer:
        peer.sendall(GET)
        assert keep_sending(peer, lambda: b"X-Flood: yes\r\n" * 1000) < ENOUGH_BYTES
        assert rest_of(peer)[:12] in {b"HTTP/1.1 431", b""}
    assert api.get("/healthz").status_code == 200


def test_a_header_without_end_is_cut_off(api: Served) -> None:
    with opened(api) as peer:
        peer.sendall(GET + b"X-Endless: ")
        assert keep_sending(peer, lambda: b"x" * 65_536) < ENOUGH_BYTES
        assert rest_of(peer)[:12] in {b"HTTP/1.1 431", b""}


def test_a_header_that_is_somewhat_too_large_is_told(api: Served) -> None:
    with opened(api) as peer:
        peer.sendall(GET + b"X-Large: " + b"x" * (connection.MOST_HEAD_BYTES + 1))
        assert problem_in(rest_of(peer)) == (431, "headers_too_large")


def test_too_many_headers_are_told(api: Served) -> None:
    response = api.client.get("/healthz", headers=[("X-Many", "x")] * (bounds.MOST_HEADERS + 1))
    assert response.status_code == 431
    assert f"there may be {bounds.MOST_HEADERS}" in response.json()["detail"]


def test_a_body_that_is_announced_too_large_is_not_waited_for(api: Served) -> None:
    with opened(api) as peer:
        peer.sendall(GET + b"Content-Length: 99999999999\r\n\r\n")
        assert problem_in(rest_of(peer)) == (413, "content_too_large")


@pytest.mark.parametrize("path", [b"/healthz", b"/v1/views/bars/stream"])
def test_a_body_without_end_is_cut_off(api: Served, path: bytes) -> None:
    with opened(api) as peer:
        peer.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert keep_sending(peer, lambda: b"8000\r\n" + b"x" * 0x8000 + b"\r\n") < ENOUGH_BYTES
    assert api.get("/healthz").status_code == 200


def test_a_route_that_reads_a_body_reads_no_more_than_it_may() -> None:
    app = FastAPI()

    @app.post("/")
    async def read(request: Request) -> int:
        return len(await request.body())

    app.add_middleware(bounds.Bounds)
    with running(app) as client:
        pieces = [b"x" * 1024] * (bounds.MOST_BODY_BYTES // 1024)
        assert client.post("/", content=iter(pieces)).json() == bounds.MOST_BODY_BYTES
        assert client.post("/", content=iter([*pieces, b"x"])).status_code == 413


@pytest.mark.parametrize(
    "text",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
    ],
)
def test_what_is_no_request_is_told_so(api: Served, text: bytes) -> None:
    with opened(api) as peer:
        peer.sendall(text)
        assert problem_in(rest_of(peer)) == (400, "malformed")


@pytest.mark.usefixtures("quick")
def test_an_answer_that_nobody_takes_is_dropped() -> None:
    app, size = FastAPI(), 64 * 1024**2

    @app.get("/")
    async def large() -> object:
        return reply([bytes(size)], "text/plain", {})

    with running(app) as client:
        with closing(socket.create_connection(("127.0.0.1", client.base_url.port), timeout=60)) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(QUICK_S * 5)
            assert len(rest_of(peer)) < size
        assert len(client.get("/").content) == size  # whoever takes it gets it whole
