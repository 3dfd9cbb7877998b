"""Asking over sockets: a few connections that each ask again as soon as they have their answer.

Run as `python asker.py HOST PORT PATH CONNECTIONS SECONDS RESULT`; writes to RESULT as JSON how long each answer took,
in seconds, and how many were refused.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import uvloop

_LENGTH = b"content-length:"


class Asker(asyncio.Protocol):
    """A connection that is kept, and asks one question until the time is over."""

    def __init__(self, request: bytes, ends_s: float) -> None:
        self.waits_s: list[float] = []
        self.refused = 0
        self.ended = asyncio.get_running_loop().create_future()
        self._request = request
        self._ends_s = ends_s
        self._asked_s = 0.0
        self._had = bytearray()
        self._length: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Take what came; ask again once it is whole."""
        self._had += data
        if self._length is None:
            head, found, _ = self._had.partition(b"\r\n\r\n")
            if not found:
                return
            lines = head.lower().split(b"\r\n")
            self.refused += b" 200 " not in lines[0] + b" "
            length = next(line for line in lines if line.startswith(_LENGTH))
            self._length = len(head) + 4 + int(length[len(_LENGTH) :])
        if len(self._had) < self._length:
            return
        now_s = time.perf_counter()
        self.waits_s.append(now_s - self._asked_s)
        if now_s < self._ends_s:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell that it is over."""
        if not self.ended.done():
            self.ended.set_result(error)

    def _ask(self) -> None:
        self._had, self._length = bytearray(), None
        self._asked_s = time.perf_counter()
        self._transport.write(self._request)  # type: ignore[attr-defined]  # it is one of a socket


async def ask(host: str, port: str, path: str, connections: str, seconds: str) -> dict[str, object]:
    """Ask for some seconds, and tell how it went."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: application/json\r\n\r\n".encode()
    loop, ends_s = asyncio.get_running_loop(), time.perf_counter() + float(seconds)
    opened = [
        (await loop.create_connection(lambda: Asker(request, ends_s), host, int(port)))[1]
        for _ in range(int(connections))
    ]
    errors = [error for each in opened if (error := await each.ended) is not None]
    return {
        "waits_s": [wait_s for each in opened for wait_s in each.waits_s],
        "refused": sum(each.refused for each in opened) + len(errors),
    }


if __name__ == "__main__":
    *asked, result = sys.argv[1:]
    Path(result).write_text(json.dumps(uvloop.run(ask(*asked))))
