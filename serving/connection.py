"""A connection: uvicorn's, with bounds on the time and the bytes that a request may take to come, and an answer to go.

uvicorn by itself waits for ever for a request that has begun, keeps its headers however many they are, and keeps an
answer for whoever does not take it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from serving.bounds import MOST_ADDRESS_BYTES, MOST_BODY_BYTES, MOST_HEADER_BYTES
from serving.problem import problem

COMES_WITHIN_S = 10.0
"""In which a connection's first request must have come whole, and each other one once it has begun."""

TAKEN_WITHIN_S = 30.0
"""In which whoever asked must take some of an answer that waits to be sent."""

MOST_HEAD_BYTES = MOST_ADDRESS_BYTES + MOST_HEADER_BYTES + 8 * 1024
"""More than what is refused with a better reason, all that stands between the headers counted."""

MOST_REQUEST_BYTES = MOST_HEAD_BYTES + 4 * MOST_BODY_BYTES
"""Likewise; a body that comes in many small chunks has as much around it."""


class Connection(HttpToolsProtocol):
    """uvicorn's protocol, which closes what is too slow or too large."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  # uvicorn's own
        super().__init__(*arguments, **named)
        self._is_head, self._bytes = True, 0
        self._coming: asyncio.TimerHandle | None = None
        self._going: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Wait for the first request, for a while."""
        super().connection_made(transport)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._stop_timers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless it is too much."""
        self._bytes += len(data)
        super().data_received(data)
        if self._is_head and self._bytes > MOST_HEAD_BYTES:
            self._refuse("headers_too_large", f"Address and headers have more than {MOST_HEAD_BYTES} bytes.")
        elif self._bytes > MOST_REQUEST_BYTES:
            self._refuse("content_too_large", f"The body has more than {MOST_BODY_BYTES} bytes.")
        elif self._is_idle and self.timeout_keep_alive_task is None:
            self._await_request()  # what came, such as an empty line, was no beginning of a request

    def on_message_begin(self) -> None:
        """Wait for the whole of the request."""
        super().on_message_begin()
        self._is_head = True
        self._await_request()

    def on_headers_complete(self) -> None:
        """Have it answered."""
        self._is_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """It has come."""
        self._stop_coming()
        self._bytes = 0
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Let go of the connection."""
        self._stop_timers()
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """Tell that it is no request."""
        self._refuse("malformed", f"{msg} Ask as HTTP/1.1 says; /docs describes what there is.")

    def pause_writing(self) -> None:
        """Wait until some of the answer was taken, for a while."""
        super().pause_writing()
        self._going = self._going or self.loop.call_later(TAKEN_WITHIN_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It was."""
        self._stop_going()
        super().resume_writing()

    @property
    def _is_idle(self) -> bool:
        """Whether nothing is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _await_request(self) -> None:
        self._coming = self._coming or self.loop.call_later(COMES_WITHIN_S, self._give_up)

    def _give_up(self) -> None:
        self._refuse("too_slow", f"The request had not come whole after {COMES_WITHIN_S:.0f} s.")

    def _refuse(self, name: str, detail: str) -> None:
        """Answer with a problem, unless an answer has begun, and close."""
        self._stop_timers()
        if self.transport.is_closing():
            return
        is_its_turn = not (self._is_head or self.pipeline or self.cycle is None or self.cycle.response_started)
        if self._is_idle or is_its_turn:
            self.transport.write(_written(name, detail))
        if self.cycle is not None:
            self.cycle.disconnected = True  # what it still sends goes nowhere
            self.cycle.message_event.set()
        self.transport.close()

    def _stop_timers(self) -> None:
        self._stop_coming()
        self._stop_going()

    def _stop_coming(self) -> None:
        if self._coming is not None:
            self._coming.cancel()
            self._coming = None

    def _stop_going(self) -> None:
        if self._going is not None:
            self._going.cancel()
            self._going = None


def _written(name: str, detail: str) -> bytes:
    """A problem as the bytes of a response."""
    response = problem(name, detail, {"Connection": "close"})
    headers = b"".join(b"%b: %b\r\n" % pair for pair in response.raw_headers)
    return STATUS_LINE[response.status_code] + headers + b"\r\n" + bytes(response.body)
