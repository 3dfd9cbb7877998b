"""Repeats: requests that come again, header by header, while answers come from the same pair. They cost little.

What depends on the request alone was settled when it came first: that it is within bounds, which host it names, what
it asks and how that is written. What may change is looked at each time: whether a key is needed, how often its caller
asks, and whether answers still come from the pair that the first was made of.
"""

from __future__ import annotations

from time import perf_counter
from typing import NamedTuple

import orjson
from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.access.policy import Policy, peer
from serving.metrics.requests import Requests
from serving.presentation import Presentation
from serving.query import BaseChoice
from serving.reply import PART_BYTES
from serving.seam import Pair, Seam
from serving.spoken import Spoken
from serving.state import State
from twofold.errors import TwofoldError

MOST = 64
"""Requests that are remembered at most."""

_OK = 200
_LENGTH, _WRITTEN = b"content-length", b"content-encoding"


class Answered(NamedTuple):
    """An answer as JSON that may be given again, with its freshness told anew.

    Attributes:
        base: What was answered from.
        names_base: Whether the request says so; else it is what is answered from where nothing is said.
        pair: The pair that it was.
        state: The state of that.
        spoken: The answer.
        presentation: How it is written, which is as JSON.
    """

    base: BaseChoice
    names_base: bool
    pair: Pair
    state: State
    spoken: Spoken
    presentation: Presentation

    def body(self) -> bytes:
        """The answer, as fresh as it is now."""
        return b"".join(self.spoken.written(self.presentation, orjson.dumps(self.state.freshness())))


class _Known(NamedTuple):
    answered: Answered
    route: str
    headers: list[tuple[bytes, bytes]]


def note(request: Request, answered: Answered) -> None:
    """Note what a request is answered with, so that it can be repeated."""
    request.state.answered = answered


class Repeats:
    """Middleware that repeats answers. It is the outermost, so it counts what it answers itself.

    Args:
        app: what answers otherwise.
        seam: where answers come from.
        policy: who may ask, and how often.
        requests: where answers are counted.
    """

    def __init__(self, app: ASGIApp, seam: Seam, policy: Policy, requests: Requests) -> None:
        self._app = app
        self._seam = seam
        self._policy = policy
        self._requests = requests
        self._known: dict[tuple[object, ...], _Known] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Repeat an answer, or hand the request on and remember what it is answered with."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        began_s = perf_counter()
        key = (scope["path"], scope["query_string"], *scope["headers"])
        known = self._known.get(key)
        if known is not None and self._still_holds(known.answered) and self._may_ask(scope):
            await _repeat(known, send)
            self._requests.count(known.route, _OK, perf_counter() - began_s)
            return
        begun: Message = {}

        async def noticing(message: Message) -> None:
            if message["type"] == "http.response.start":
                begun.update(message)
            await send(message)

        await self._app(scope, receive, noticing)
        answered: Answered | None = scope.get("state", {}).get("answered")
        if answered is not None and begun.get("status") == _OK:
            self._remember(key, answered, scope["route"].path, [(bytes(n), bytes(v)) for n, v in begun["headers"]])

    def _still_holds(self, answered: Answered) -> bool:
        """Whether an answer to the same question would be the same now."""
        try:
            pair = self._seam.pair(answered.base)
        except TwofoldError:  # whoever asks is told
            return False
        if not answered.names_base and answered.base != self._seam.default_base:
            return False
        then = answered.pair
        is_same = pair.batch is then.batch and pair.speed is then.speed
        return is_same and (pair.mode, pair.held) == (then.mode, then.held)

    def _may_ask(self, scope: Scope) -> bool:
        """Whether it needs no more to ask than it did; if so, it is counted. Who may not is told by the gate."""
        rates = self._policy.rates
        return not self._policy.needs_key and (rates is None or not rates.wait_s(peer(scope)))

    def _remember(
        self, key: tuple[object, ...], answered: Answered, route: str, headers: list[tuple[bytes, bytes]]
    ) -> None:
        told = dict(headers)
        if _WRITTEN in told or int(told[_LENGTH]) > PART_BYTES:
            return
        if len(self._known) >= MOST and key not in self._known:
            self._known.clear()
        self._known[key] = _Known(answered, route, [pair for pair in headers if pair[0] != _LENGTH])


async def _repeat(known: _Known, send: Send) -> None:
    known.answered.spoken.times += 1
    body = known.answered.body()
    headers = [*known.headers, (_LENGTH, b"%d" % len(body))]
    await send({"type": "http.response.start", "status": _OK, "headers": headers})
    await send({"type": "http.response.body", "body": body})
