"""Requests: how many were answered with which status, and how soon."""

from __future__ import annotations

from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twofold.metrics import Metric

REQUESTS = Metric(
    "twofold_http_requests_total",
    "Requests that were answered, by the route's path (`none`: no route) and the HTTP status; a WebSocket that was "
    "opened has 101",
    ("route", "status"),
    "counter",
)
DURATION = Metric(
    "twofold_http_request_duration_seconds",
    "Time from a request to the first byte of its answer, by the route's path",
    ("route",),
    "histogram",
)
METRICS = (REQUESTS, DURATION)

BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_NO_ROUTE = "none"


class Requests:
    """Counts requests."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counter = Counter(REQUESTS.name, REQUESTS.meaning, REQUESTS.labels, registry=registry)
        self._duration = Histogram(
            DURATION.name, DURATION.meaning, DURATION.labels, registry=registry, buckets=BUCKETS_S
        )
        self._known: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def note(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one. Paths that were asked for are no labels: anyone may make up as many as they like."""
        self.count(getattr(scope.get("route"), "path", _NO_ROUTE), status, seconds)

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count one that a route answered."""
        known = self._known.get((route, status))
        if known is None:  # the library looks labels up anew each time, which takes longer than to count
            known = self._counter.labels(route, str(status)), self._duration.labels(route)
            self._known[route, status] = known
        counter, duration = known
        counter.inc()
        duration.observe(seconds)


class Noted:
    """Middleware that has requests counted when their answers begin."""

    def __init__(self, app: ASGIApp, requests: Requests) -> None:
        self._app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, and count it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        began_s = perf_counter()
        is_noted = False

        def note(status: int) -> None:
            nonlocal is_noted
            if not is_noted:
                is_noted = True
                self._requests.note(scope, status, perf_counter() - began_s)

        async def noting(message: Message) -> None:
            if not is_noted and (status := _status(message)) is not None:
                note(status)
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception:
            note(500)  # what is outside of this turns it into an answer
            raise


def _status(message: Message) -> int | None:
    """The status that a message begins an answer with, if it does."""
    match message["type"]:
        case "http.response.start" | "websocket.http.response.start":
            return int(message["status"])
        case "websocket.accept":
            return 101
        case "websocket.close":
            return 403
    return None
