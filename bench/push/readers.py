"""The readers: many connections to one stream, in a process of their own.

Run as `python readers.py HOST PORT PATH READERS RESULT START RATE SECONDS LEAVE`, times on the monotonic clock in
seconds. It says `ready` once each reader has the first state. Trades are due RATE to the second from START on, and an
event that counts n trades more than the first state holds the first n. Writes to RESULT as JSON how long each trade
took to each reader, in seconds, and what went wrong.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from pathlib import Path

import uvloop

_COUNT = re.compile(rb'"trades":([0-9]+)')
_BEHIND, _END = b'"because":"behind"', b"event: end"


class Reader(asyncio.Protocol):
    """A connection that reads a stream and notes when each event was there."""

    def __init__(self, request: bytes) -> None:
        self.ready = asyncio.Event()
        self.first_count = 0
        self.seen: list[tuple[float, int]] = []
        self.conflated = 0
        self.ended = False
        self._request = request
        self._rest = b""

    def connection_made(self, transport: asyncio.WriteTransport) -> None:
        """Ask."""
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        received_s = time.monotonic()
        *blocks, self._rest = (self._rest + data).split(b"\n\n")
        for block in blocks:
            self.conflated += _BEHIND in block
            self.ended |= _END in block
            count = _COUNT.search(block)
            if count is None:
                continue
            if self.ready.is_set():
                self.seen.append((received_s, int(count[1])))
            else:
                self.first_count = int(count[1])
                self.ready.set()

    def connection_lost(self, _: Exception | None) -> None:
        """Note that nothing follows."""
        self.ended = True

    def waits_s(self, start_s: float, rate: float, trades: int) -> list[float]:
        """How long each trade took from when it was due; those that never came are left out."""
        waits: list[float] = []
        for received_s, count in self.seen:
            new = range(len(waits), min(count - self.first_count, trades))
            waits += [received_s - (start_s + number / rate) for number in new]
        return waits


async def read(host: str, port: str, path: str, readers: str, *times: str) -> dict[str, object]:
    """Open all connections, read until it is time to leave, and tell what was seen."""
    start_s, rate, seconds, leave_s = map(float, times)
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: text/event-stream\r\n\r\n".encode()
    loop = asyncio.get_running_loop()
    opened = [await loop.create_connection(lambda: Reader(request), host, int(port)) for _ in range(int(readers))]
    protocols = [protocol for _, protocol in opened]
    for protocol in protocols:
        await protocol.ready.wait()
    print("ready", flush=True)
    await asyncio.sleep(leave_s - time.monotonic())
    ended = sum(protocol.ended for protocol in protocols)
    waits = [protocol.waits_s(start_s, rate, round(rate * seconds)) for protocol in protocols]
    for transport, _ in opened:
        transport.close()
    return {
        "waits_s": waits,
        "events": [len(protocol.seen) for protocol in protocols],
        "conflated": sum(protocol.conflated for protocol in protocols),
        "ended": ended,
    }


if __name__ == "__main__":
    host, port, path, readers, result, *times = sys.argv[1:]
    Path(result).write_text(json.dumps(uvloop.run(read(host, port, path, readers, *times))))
