"""Bounds on requests: what is too large is refused before anything is made of it."""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.problem import problem

MOST_ADDRESS_BYTES = 32 * 1024
MOST_HEADER_BYTES = 32 * 1024
MOST_BODY_BYTES = 64 * 1024


class Bounds:
    """Middleware that refuses requests with too long an address, or too large headers or body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or hand it on."""
        refused = _too_large(scope) if scope["type"] in {"http", "websocket"} else None
        if refused is not None:
            await problem(*refused)(scope, receive, send)
        elif scope["type"] == "http":
            await self._app(scope, _bounded(receive), send)
        else:
            await self._app(scope, receive, send)


def _too_large(scope: Scope) -> tuple[str, str] | None:
    address = len(scope.get("raw_path") or scope["path"].encode()) + len(scope["query_string"])
    if address > MOST_ADDRESS_BYTES:
        return "address_too_long", f"The address has {address} bytes; it may have {MOST_ADDRESS_BYTES}."
    headers = sum(len(name) + len(value) for name, value in scope["headers"])
    if headers > MOST_HEADER_BYTES:
        return "headers_too_large", f"The headers have {headers} bytes; they may have {MOST_HEADER_BYTES}."
    body = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    if body.isdigit() and (len(body) > len(str(MOST_BODY_BYTES)) or int(body) > MOST_BODY_BYTES):
        return "content_too_large", f"The body has more than {MOST_BODY_BYTES} bytes, which no path here takes."
    return None


def _bounded(receive: Receive) -> Receive:
    """A body whose length no header tells is refused where it becomes too large, by whoever reads it."""
    length = 0

    async def bounded() -> Message:
        nonlocal length
        message = await receive()
        length += len(message.get("body", b""))
        if length > MOST_BODY_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return message

    return bounded
