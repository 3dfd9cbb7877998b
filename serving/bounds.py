"""Bounds on requests: what is too large is refused before anything is made of it."""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.problem import problem

MOST_ADDRESS_BYTES = 32 * 1024
MOST_HEADER_BYTES = 32 * 1024
MOST_HEADERS = 100
MOST_BODY_BYTES = 64 * 1024

_CLOSE = {"Connection": "close"}
"""What is still to come of a request that is too large is not read."""


class Bounds:
    """Middleware that refuses requests with too long an address, or too many or too large headers, or too large a body.

    A body whose length is not told in advance is refused where a route reads on beyond the bound.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or hand it on."""
        refused = _too_large(scope) if scope["type"] in {"http", "websocket"} else None
        if refused is not None:
            await problem(*refused, _CLOSE)(scope, receive, send)
            return
        await self._app(scope, _bounded(receive) if scope["type"] == "http" else receive, send)


def _too_large(scope: Scope) -> tuple[str, str] | None:
    address = len(scope.get("raw_path") or scope["path"].encode()) + len(scope["query_string"])
    if address > MOST_ADDRESS_BYTES:
        return "address_too_long", f"The address has {address} bytes; it may have {MOST_ADDRESS_BYTES}."
    if len(scope["headers"]) > MOST_HEADERS:
        return "headers_too_large", f"There are {len(scope['headers'])} headers; there may be {MOST_HEADERS}."
    headers = sum(len(name) + len(value) for name, value in scope["headers"])
    if headers > MOST_HEADER_BYTES:
        return "headers_too_large", f"The headers have {headers} bytes; they may have {MOST_HEADER_BYTES}."
    body = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    if body.isdigit() and (len(body) > len(str(MOST_BODY_BYTES)) or int(body) > MOST_BODY_BYTES):
        return "content_too_large", f"The body has more than {MOST_BODY_BYTES} bytes, which no path here takes."
    return None


def _bounded(receive: Receive) -> Receive:
    """Receive no more of a body than it may have."""
    left = MOST_BODY_BYTES

    async def receiving() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, headers=_CLOSE)
        return message

    return receiving
