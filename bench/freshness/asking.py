"""Asking: HTTP requests at times fixed in advance, whether or not the ones before have been answered."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any

import orjson

_TIMEOUT_S = 10.0
_AT_ONCE = 8
"""Requests on their way at most; the ones beyond wait, and their waiting counts."""


class Unanswered(Exception):
    """A request was answered with something else than rows."""


@dataclass(frozen=True)
class Answer:
    """What one request brought; times on the monotonic clock, in seconds.

    trades: trades by symbol, over all windows of the answer. sequence: the publication of its receipt.
    """

    due_s: float
    received_s: float
    trades: dict[str, int]
    sequence: int


def ask(address: str, place: str, start_s: float, end_s: float, every_s: float) -> list[Answer]:
    """Ask for `place` at `address` (host:port) every `every_s` seconds from `start_s` to `end_s`.

    Returns:
        The answers in the order of the requests.

    Raises:
        OSError: serving could not be reached.
        Unanswered: a request failed.
    """
    kept = threading.local()

    def ask_once(due_s: float) -> Answer:
        if not hasattr(kept, "connection"):
            kept.connection = HTTPConnection(address, timeout=_TIMEOUT_S)
        kept.connection.request("GET", place)
        response = kept.connection.getresponse()
        raw = response.read()
        received_s = time.monotonic()
        if response.status != HTTPStatus.OK:
            raise Unanswered(f"{place} was answered with {response.status}: {raw.decode()}")
        return _read(raw, due_s, received_s)

    with ThreadPoolExecutor(_AT_ONCE) as askers:
        asked = []
        for number in range(round((end_s - start_s) / every_s)):
            due_s = start_s + number * every_s
            time.sleep(max(0.0, due_s - time.monotonic()))
            asked.append(askers.submit(ask_once, due_s))
        return [answer.result() for answer in asked]


def _read(raw: bytes, due_s: float, received_s: float) -> Answer:
    body: dict[str, Any] = orjson.loads(raw)
    trades: dict[str, int] = {}
    for row in body["rows"]:
        trades[row["symbol"]] = trades.get(row["symbol"], 0) + row["trades"]
    return Answer(due_s, received_s, trades, body["receipt"]["sequence"])
