import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qsl, urlsplit

import pytest
from typer.testing import CliRunner

from twofold.cli.app import app
from twofold.errors import QueryError
from twofold.port import free_port

ROW = {
    "venue": "binance",
    "symbol": "BTCUSDT",
    "window_start": "2024-08-08T23:54:00Z",
    "window_end": "2024-08-08T23:55:00Z",
    "open": "61837.63000000",
    "high": "61855.37000000",
    "volume": "12.43238000",
    "vwap": None,
    "trades": 875,
    "finality": "closed",
    "revisions": 0,
}
ANSWER = {
    "view": "bars",
    "rows": [ROW, ROW | {"window_start": "2024-08-08T23:55:00Z", "finality": "revised", "revisions": 2}],
    "receipt": {"view_hash": "h", "sequence": 12, "cut": {}, "positions": {}, "query": {}},
    "freshness": {"newest_event": "2024-08-08T23:55:59.250Z", "lag_records": 3, "age_ms": 41, "speed": "live"},
}


class Serving(BaseHTTPRequestHandler):
    """Answers every question with what it was told to, and remembers the question."""

    asked: ClassVar[list[tuple[str, dict[str, str]]]] = []
    status: ClassVar[int] = 200
    body: ClassVar[bytes] = b""

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        self.asked.append((address.path, dict(parse_qsl(address.query))))
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Serving]]:
    Serving.asked, Serving.status, Serving.body = [], 200, json.dumps(ANSWER).encode()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Serving)
    monkeypatch.setenv("TWOFOLD_SERVING_ADDRESS", f"127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield Serving
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.usefixtures("serving")
def test_rows_are_tabled_with_their_finality() -> None:
    printed = CliRunner().invoke(app, ["query", "bars", "--symbol", "BTCUSDT"]).output
    lines = [line.split() for line in printed.splitlines() if "BTCUSDT" in line]
    assert lines == [
        ["binance", "BTCUSDT", "2024-08-08", "23:54", "61837.63", "61855.37", "12.43238", "875", "closed"],
        ["binance", "BTCUSDT", "2024-08-08", "23:55", "61837.63", "61855.37", "12.43238", "875", "revised", "(2)"],
    ]


@pytest.mark.usefixtures("serving")
def test_what_the_answer_is_made_of_is_said_below() -> None:
    last = CliRunner().invoke(app, ["query", "bars"]).output.splitlines()[-1]
    assert last == "publication 12 · newest trade 2024-08-08 23:55:59 · 3 records behind, heard 41 ms ago"


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("away", " · speed worker away: from batch alone"),
        ("catching_up", " · speed worker catching up: from batch alone"),
        ("unused", " · from batch alone"),
    ],
)
def test_an_answer_without_the_speed_side_says_so(serving: type[Serving], mode: str, said: str) -> None:
    alone = ANSWER | {"freshness": {"newest_event": None, "lag_records": None, "age_ms": None, "speed": mode}}
    serving.body = json.dumps(alone).encode()
    assert said in CliRunner().invoke(app, ["query", "bars"]).output


def test_the_newest_windows_are_asked_for_when_nothing_is_said(serving: type[Serving]) -> None:
    CliRunner().invoke(app, ["query", "bars"])
    assert serving.asked == [("/v1/views/bars", {"last": "10"})]


def test_every_option_is_asked_for_as_it_was_said(serving: type[Serving]) -> None:
    asked = {
        "venue": "binance",
        "symbol": "BTCUSDT",
        "interval": "5m",
        "start": "2024-08-08T23:00:00+00:00",
        "end": "1723161600000",
        "base": "published",
        "as_of": "2024-08-09T00:00:00Z",
        "known_after": "2s",
    }
    options = [word for name, value in asked.items() for word in (f"--{name.replace('_', '-')}", value)]
    CliRunner().invoke(app, ["query", "taker_flow", *options])
    assert serving.asked == [("/v1/views/taker_flow", asked)]


def test_no_rows_are_said_in_words(serving: type[Serving]) -> None:
    serving.body = json.dumps(ANSWER | {"rows": []}).encode()
    assert "No trades in that range." in CliRunner().invoke(app, ["query", "bars"]).output


def test_a_problem_is_told_in_serving_s_words(serving: type[Serving]) -> None:
    serving.status = 422
    serving.body = json.dumps({"title": "Unprocessable", "status": 422, "detail": "last=0 is not above 0."}).encode()
    error = CliRunner().invoke(app, ["query", "bars"]).exception
    assert isinstance(error, QueryError)
    assert str(error) == "last=0 is not above 0."


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"[]", b"{}"])
def test_an_error_that_is_no_problem_document_is_shown_as_it_came(body: bytes, serving: type[Serving]) -> None:
    serving.status, serving.body = 502, body
    error = CliRunner().invoke(app, ["query", "bars"]).exception
    assert isinstance(error, QueryError)
    assert str(error) == f"Serving answered 502: {body.decode()}"


def test_a_serving_that_does_not_answer_is_told_with_what_starts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("TWOFOLD_SERVING_ADDRESS", address)
    error = CliRunner().invoke(app, ["query", "bars"]).exception
    assert isinstance(error, QueryError)
    assert address in str(error)
    assert "twofold serve" in str(error)
