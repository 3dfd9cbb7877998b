"""Questions to the serving API, and the answers as they came."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

INTERVALS = {"1m": 60, "5m": 300}
VIEWS = ("bars", "taker_flow")


@dataclass(frozen=True)
class Question:
    """What is asked, of both sides by default. `start_ms` is inclusive and `end_ms` exclusive: window starts, UTC."""

    view: str
    interval: str
    symbol: str | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    last: int | None = None
    base: str | None = None

    @property
    def interval_s(self) -> int:
        """The length of a window in seconds."""
        return INTERVALS[self.interval]

    def parameters(self) -> dict[str, str | int]:
        """The question as the API takes it."""
        named = {"interval": self.interval, "symbol": self.symbol, "start": self.start_ms, "end": self.end_ms}
        named |= {"last": self.last, "base": self.base}
        return {name: value for name, value in named.items() if value is not None}

    def __str__(self) -> str:
        parts = [] if self.start_ms is None and self.end_ms is None else ["range"]
        parts += [f"last {self.last}"] if self.last is not None else []
        parts += [self.base] if self.base is not None else []
        return f"{self.view:10} {self.symbol or 'all':8} {self.interval} {' '.join(parts) or 'whole':6}"


@dataclass(frozen=True)
class Instant:
    """One answer, and when it came; `body` is empty and `problem` says why if it was none."""

    at_s: float
    question: Question
    body: dict[str, Any] = field(default_factory=dict)
    problem: str = ""

    @property
    def receipt(self) -> dict[str, Any]:
        """What the answer was made of."""
        receipt: dict[str, Any] = self.body["receipt"]
        return receipt

    @property
    def records(self) -> int:
        """How many records are below the answer's positions, over all lanes."""
        return sum(self.receipt["positions"].values()) if self.body else 0


def questions(symbols: Sequence[str], events_ms: tuple[int, int], seed: int) -> Iterator[Question]:
    """Questions without end: views, symbols, intervals and ranges in every combination, in a shuffled order.

    Args:
        symbols: what is asked about, beside all.
        events_ms: between which times ranges are cut out.
        seed: of the order.
    """
    first_ms, last_ms = events_ms
    third_ms = (last_ms - first_ms) // 3
    shapes: tuple[dict[str, int], ...] = (
        {},
        {"last": 3},
        {"start_ms": first_ms + third_ms // 2, "end_ms": last_ms - third_ms},
    )
    combinations = [
        Question(view, interval, symbol, **shape)
        for view, interval, symbol, shape in itertools.product(VIEWS, INTERVALS, (*symbols, None), shapes)
    ]
    random.Random(seed).shuffle(combinations)
    return itertools.cycle(combinations)


class Asker:
    """Asks one serving API, and keeps every answer; also a context manager."""

    def __init__(self, url: str) -> None:
        self.instants: list[Instant] = []
        self._client = httpx.Client(base_url=url, timeout=10)
        self._started_s = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the asking began."""
        return time.monotonic() - self._started_s

    def is_ready(self) -> bool:
        """Whether answers are up to date."""
        try:
            return self._client.get("/readyz").is_success
        except httpx.HTTPError:
            return False

    def ask(self, question: Question) -> Instant:
        """Ask, and keep the answer."""
        try:
            response = self._client.get(f"/v1/views/{question.view}", params=question.parameters())
            if response.is_success:
                instant = Instant(self.elapsed_s, question, body=response.json())
            else:
                instant = Instant(self.elapsed_s, question, problem=f"{response.status_code} {response.text}")
        except httpx.HTTPError as error:
            instant = Instant(self.elapsed_s, question, problem=repr(error))
        self.instants.append(instant)
        return instant

    def lanes(self) -> list[dict[str, Any]]:
        """What the API says became of every record, per lane."""
        lanes: list[dict[str, Any]] = self._client.get("/v1/lanes").raise_for_status().json()["lanes"]
        return lanes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
