"""Reading server-sent events in tests, by the format's own rules (HTML, 9.2), apart from the product's reader."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Told:
    """An event as it came."""

    kind: str
    id: str
    data: dict[str, Any]

    @property
    def rows(self) -> list[tuple[str, str, str, int]]:
        """Of each row the symbol, the clock of its window, its finality and its trades."""
        return [
            (row["symbol"], row["window_start"][11:16], row["finality"], row["trades"]) for row in self.data["rows"]
        ]


@contextmanager
def streaming(
    client: httpx.Client, path: str, *, last_event_id: str | None = None, **parameters: str | int
) -> Iterator[Iterator[Told]]:
    """The events of a stream."""
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    with client.stream("GET", path, params=parameters, headers=headers) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        yield _events(response)


def _events(response: httpx.Response) -> Iterator[Told]:
    rest = b""
    for chunk in response.iter_raw():
        *blocks, rest = (rest + chunk).split(b"\n\n")
        for block in blocks:
            fields = dict(
                line.split(": ", 1) for line in block.decode().split("\n") if line and not line.startswith(":")
            )
            if "data" in fields:
                yield Told(fields["event"], fields.get("id", ""), json.loads(fields["data"]))
