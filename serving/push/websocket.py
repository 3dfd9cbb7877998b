"""A stream over a WebSocket: the same events as messages of text, at the pace of the reader."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from serving.push.hub import Timing
from serving.push.race import race
from serving.push.reader import SLOW, Reader
from serving.push.stall import Stall

TRY_AGAIN_LATER = 1013
"""Close code (IANA WebSocket Close Code Number Registry) of a stream that ends before its reader left."""

log = logging.getLogger(__name__)


async def tell(socket: WebSocket, reader: Reader, timing: Timing) -> None:
    """Send events until the reader leaves, is dropped, or nothing follows. What the reader sends is passed over."""
    stall = Stall(timing.stalled_s)
    await race(_tell(socket, reader, stall), _has_left(socket), stall.awaited())
    if stall.is_there:
        await _drop(socket, timing.grace_s)


async def _tell(socket: WebSocket, reader: Reader, stall: Stall) -> None:
    is_last = False
    while not is_last:
        event = await reader.next()
        if event is None:  # the server's pings tell that the connection stands
            continue
        with stall:
            await socket.send_text(event.message)
        is_last = event.kind == "end"
    await socket.close(TRY_AGAIN_LATER, "the last message says why")


async def _drop(socket: WebSocket, grace_s: float) -> None:
    """Have the reader find the reason as the last message, if it reads on; else leave it."""
    log.info("A reader takes nothing and is dropped.")
    with suppress(TimeoutError, WebSocketDisconnect):
        async with asyncio.timeout(grace_s):
            await socket.send_text(SLOW.message)
            await socket.close(TRY_AGAIN_LATER, "slow")


async def _has_left(socket: WebSocket) -> None:
    try:
        while True:
            await socket.receive_text()
    except (WebSocketDisconnect, KeyError):  # KeyError: it was bytes
        pass
