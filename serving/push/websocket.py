"""A stream over a WebSocket: the same events as messages of text, at the pace of the reader."""

from __future__ import annotations

import asyncio
import logging

from starlette.websockets import WebSocket, WebSocketDisconnect

from serving.push.hub import Timing
from serving.push.race import race
from serving.push.reader import SLOW, Reader

TRY_AGAIN_LATER = 1013
"""Close code (IANA WebSocket Close Code Number Registry) of a stream that ends before its reader left."""

log = logging.getLogger(__name__)


async def tell(socket: WebSocket, reader: Reader, timing: Timing) -> None:
    """Send events until the reader leaves, is dropped, or nothing follows. What the reader sends is passed over."""
    await race(_tell(socket, reader, timing), _has_left(socket))


async def _tell(socket: WebSocket, reader: Reader, timing: Timing) -> None:
    is_last = False
    while not is_last:
        event = await reader.next(timing.heartbeat_s)
        if event is None:  # the server's pings tell that the connection stands
            continue
        try:
            async with asyncio.timeout(timing.stalled_s):
                await socket.send_text(event.message)
        except TimeoutError:
            log.info("A reader took nothing for %s s and is dropped.", timing.stalled_s)
            async with asyncio.timeout(timing.grace_s):
                await socket.send_text(SLOW.message)
                await socket.close(TRY_AGAIN_LATER, "slow")
            return
        is_last = event.kind == "end"
    await socket.close(TRY_AGAIN_LATER, "the last message says why")


async def _has_left(socket: WebSocket) -> None:
    try:
        while True:
            await socket.receive_text()
    except (WebSocketDisconnect, KeyError):  # KeyError: it was bytes
        pass
