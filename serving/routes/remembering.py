"""Requests that come again and again: what they ask is read once, so that a program that polls costs little."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

MOST = 1024
"""Requests that are remembered at most."""

MOST_BYTES = 1024
"""Length of an address that is remembered at most."""


def remember(request: Request, asked: object) -> None:
    """Note what a request asks. It must be a function of the path, the parameters and the header Accept alone."""
    request.state.asked = asked


def remembering(reply: Callable[[Any, Request], Awaitable[Response | None]]) -> type[APIRoute]:
    """A kind of route whose requests, once what they ask was noted, `reply` answers without their being read again.

    Where `reply` gives nothing, what was noted holds no longer, and the request is read again.
    """
    known: dict[tuple[str, bytes, tuple[bytes, ...]], object] = {}

    class Remembering(APIRoute):
        async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
            accepts = tuple(value for name, value in scope["headers"] if name == b"accept")
            key = (scope["path"], scope["query_string"], accepts)
            asked = known.get(key) if scope["method"] == "GET" else None
            response = None if asked is None else await reply(asked, Request(scope, receive))
            if response is not None:
                await response(scope, receive, send)
                return
            await super().handle(scope, receive, send)
            asked = scope.get("state", {}).get("asked")
            if asked is not None and sum(map(len, (scope["path"], scope["query_string"], *accepts))) <= MOST_BYTES:
                if len(known) >= MOST:
                    known.clear()
                known[key] = asked

    return Remembering
