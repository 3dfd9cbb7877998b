"""The watch: asks serving all the time, one question after the other; and readers that are slow to take an answer."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import cycle, product
from typing import Any

import httpx
from smoke.questions import INTERVALS, VIEWS, Asker, Instant, Question

from conformance.traffic import MARKETS

WHOLE = Question("bars", "1m")
"""What is asked while something is waited for."""

SHORT = Question("bars", "1m", last=3)
"""What a slow reader asks."""

_EVERY_S = 0.2
_WAITING_S = 0.03


class NotInTime(Exception):
    """No answer was as it must be within the bound; the message says what the last one was."""


@dataclass(frozen=True)
class Seen:
    """What serving has said since the last look: answers, and what became of records by lane."""

    instants: list[Instant]
    lanes: list[dict[str, Any]]


class Watch:
    """Asks one serving API from a thread, and whenever it is told to; one question at a time.

    Args:
        url: where serving is, whenever it is there.
        seed: of the order of questions.
    """

    def __init__(self, url: str, seed: int) -> None:
        self._asker = Asker(url)
        self._client = httpx.Client(base_url=url, timeout=10)
        self._questions = _questions(seed)
        self._lanes: list[dict[str, Any]] = []
        self._turn = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._asker.__exit__(None, None, None)
        self._client.close()

    def ask(self, question: Question) -> Instant:
        """Ask now."""
        with self._turn:
            return self._asker.ask(question)

    def look(self, path: str) -> dict[str, Any]:
        """What serving says at another place.

        Raises:
            httpx.HTTPError: it does not answer, or refuses.
        """
        with self._turn:
            return self._look(path)

    def wait_for(self, is_so: Callable[[Instant], bool], within_s: float) -> float:
        """Ask until an answer is so, and return when it came; Unix time.

        Raises:
            NotInTime: none was.
        """
        deadline = time.monotonic() + within_s
        while True:
            instant = self.ask(WHOLE)
            if instant.body and is_so(instant):
                return time.time()
            if time.monotonic() > deadline:
                said = instant.problem or f"{instant.receipt}, {instant.body['freshness']}"
                raise NotInTime(f"no answer was exact and fresh within {within_s:.0f} s; the last was {said}")
            time.sleep(_WAITING_S)

    def everything(self) -> list[Instant]:
        """Ask every view in every interval, of both sides and of the batch side alone."""
        asked = [Question(view, interval, base=base) for view, interval, base in product(VIEWS, INTERVALS, _BASES)]
        return [self.ask(question) for question in asked]

    def take(self) -> Seen:
        """What has been said since the last call."""
        with self._turn:
            seen = Seen(list(self._asker.instants), self._lanes)
            self._asker.instants.clear()
            self._lanes = []
        return seen

    def _run(self) -> None:
        while not self._stopping.wait(_EVERY_S):
            question = next(self._questions)
            if question is None:
                self._note_lanes()
            else:
                self.ask(question)

    def _note_lanes(self) -> None:
        with self._turn:
            try:
                self._lanes.append(self._look("/v1/lanes"))
            except httpx.HTTPError:
                return

    def _look(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self._client.get(path).raise_for_status().json()
        return found


class SlowReader(threading.Thread):
    """A client that takes its answer a byte at a time.

    Attributes:
        instant: the answer, once the thread has ended.
    """

    def __init__(self, address: tuple[str, int], pause_s: float) -> None:
        super().__init__(name="slow-reader", daemon=True)
        self.instant: Instant | None = None
        self._connection = _asked(address, SHORT, times=1)
        self._pause_s = pause_s

    def run(self) -> None:
        """Read it all."""
        with self._connection:
            told = b""
            while b"\r\n\r\n" not in told:
                told += self._byte()
            head, _, body = told.partition(b"\r\n\r\n")
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
            length = int(fields[b"content-length"])
            while len(body) < length and (byte := self._byte()):
                body += byte
        ok = b" 200 " in head.split(b"\r\n")[0] and len(body) == length
        self.instant = Instant(0.0, SHORT, json.loads(body)) if ok else Instant(0.0, SHORT, problem=head.decode())

    def _byte(self) -> bytes:
        time.sleep(self._pause_s)
        return self._connection.recv(1)


def never_reading(address: tuple[str, int]) -> socket.socket:
    """A client that asks very often and takes nothing; it is there until it is closed."""
    return _asked(address, WHOLE, times=400)


def _asked(address: tuple[str, int], question: Question, times: int) -> socket.socket:
    """A connection with so little room that answers stay with the one who gives them."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    connection.settimeout(60)
    connection.connect(address)
    path = httpx.URL(f"/v1/views/{question.view}", params=question.parameters())
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {address[0]}\r\n\r\n".encode() * times)
    return connection


_BASES = (None, "published")


def _questions(seed: int) -> Iterator[Question | None]:
    """Questions of every kind without end, in an order of chance; None asks for the lanes."""
    begun = 1_723_247_820_000
    shapes = ({}, {"last": 2}, {"start_ms": begun + 240_000, "end_ms": begun + 900_000})
    kinds: list[Question | None] = [
        Question(view, interval, **shape) for view, interval, shape in product(VIEWS, INTERVALS, shapes)
    ]
    kinds += [Question(view, "1m", symbol) for view in VIEWS for symbol in sorted({symbol for _, symbol in MARKETS})]
    kinds += [replace(WHOLE, base="published"), None, None, None]
    random.Random(seed).shuffle(kinds)
    return cycle(kinds)
