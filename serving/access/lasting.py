"""Streams last no longer than the key that they were opened with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOK_EVERY_S = 5.0

POLICY_VIOLATION = 1008
"""Close code (RFC 6455, 7.4.1)."""

_LEFT = {"http": "http.disconnect", "websocket": "websocket.disconnect"}


async def while_valid(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, is_valid: Callable[[], bool], every_s: float
) -> None:
    """Run an application that streams; once the key is not valid, it is told that its reader left, and the end is sent.

    Args:
        app: it looks by `receive` whether its reader left.
        scope: of the request.
        receive: of the server.
        send: of the server.
        is_valid: whether the key still is.
        every_s: how often to look, in seconds.
    """
    over, begun = False, False

    async def receiving() -> Message:
        nonlocal over
        while True:
            try:
                async with asyncio.timeout(every_s):
                    return await receive()
            except TimeoutError:
                over = not is_valid()
            if over:
                return {"type": _LEFT[scope["type"]], "code": POLICY_VIOLATION}

    async def sending(message: Message) -> None:
        nonlocal begun
        begun = True
        await send(message)

    await app(scope, receiving, sending)
    if over and begun:
        http: Message = {"type": "http.response.body", "body": b"", "more_body": False}
        closing: Message = {"type": "websocket.close", "code": POLICY_VIOLATION, "reason": "the key is not taken"}
        await send(http if scope["type"] == "http" else closing)
