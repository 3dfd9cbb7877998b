"""A stream as server-sent events: a response that sends events which others wrote, at the pace of its reader."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serving.push.event import HEARTBEAT
from serving.push.hub import Timing
from serving.push.race import race
from serving.push.reader import SLOW, Reader
from serving.push.stall import Stall

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
        self._grace_s = timing.grace_s
        self._stall = Stall(timing.stalled_s)

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send events until the reader leaves, is dropped, or nothing follows."""
        async with self._reading:
            await race(self._tell(send), _has_left(receive), self._stall.awaited())
            if self._stall.is_there:
                await self._drop(send)

    async def _tell(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        body, is_last = _BEGINNING, False
        while not is_last:
            with self._stall:
                await send({"type": "http.response.body", "body": body, "more_body": True})
            event = await self._reader.next()
            body, is_last = (HEARTBEAT, False) if event is None else (event.sse, event.kind == "end")
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _drop(self, send: Send) -> None:
        """Have the reader find the reason as the last event, if it reads on; else leave it."""
        log.info("A reader takes nothing and is dropped.")
        with suppress(TimeoutError):
            async with asyncio.timeout(self._grace_s):
                await send({"type": "http.response.body", "body": SLOW.sse, "more_body": False})


async def _has_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
