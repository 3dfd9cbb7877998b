"""A stream as server-sent events: a response that sends events which others wrote, at the pace of its reader."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serving.push.event import HEARTBEAT
from serving.push.hub import Timing
from serving.push.race import race
from serving.push.reader import SLOW, Reader

MEDIA_TYPE = "text/event-stream"

_BEGINNING = b"retry: 1000\n\n"
"""How many milliseconds a browser waits before it comes back."""

log = logging.getLogger(__name__)


class EventStream(Response):
    """A response of events.

    The server takes the next part only once the reader has taken most of what was sent, so that of a slow reader no
    more is kept than one event and the server's own buffer.

    Args:
        reader: gives the events.
        reading: is closed at the end.
        timing: how long the reader may take.
    """

    media_type = MEDIA_TYPE

    def __init__(self, reader: Reader, reading: AsyncExitStack, timing: Timing) -> None:
        self.background = None
        self.status_code = 200
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._reader = reader
        self._reading = reading
        self._timing = timing

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send events until the reader leaves, is dropped, or nothing follows."""
        async with self._reading:
            await race(self._tell(send), _has_left(receive))

    async def _tell(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        body, is_last = _BEGINNING, False
        while not is_last:
            try:
                async with asyncio.timeout(self._timing.stalled_s):
                    await send({"type": "http.response.body", "body": body, "more_body": True})
            except TimeoutError:
                await self._drop(send)
                return
            event = await self._reader.next(self._timing.heartbeat_s)
            body, is_last = (HEARTBEAT, False) if event is None else (event.sse, event.kind == "end")
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _drop(self, send: Send) -> None:
        """Have the reader find the reason as the last event, if it reads on; else leave it."""
        log.info("A reader took nothing for %s s and is dropped.", self._timing.stalled_s)
        async with asyncio.timeout(self._timing.grace_s):
            await send({"type": "http.response.body", "body": SLOW.sse, "more_body": False})


async def _has_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
