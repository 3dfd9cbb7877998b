"""An event of a stream: written once, however many read it."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import orjson
from fastapi.sse import format_sse_event

Kind = Literal["state", "change", "end"]

HEARTBEAT = b": heartbeat\n\n"
"""A comment of an event stream, which readers pass over."""


class Event:
    """An event.

    Attributes:
        kind: `state`: rows as they are, in place of all that was told before; `change`: rows that are others than they
            were told; `end`: the last one, with its reason.
        id: Names what was asked and the publication and positions that are told; None if it tells no rows.
    """

    def __init__(self, kind: Kind, event_id: str | None, data: bytes) -> None:
        self.kind = kind
        self.id = event_id
        self._data = data

    @cached_property
    def sse(self) -> bytes:
        """As a server-sent event (HTML, 9.2)."""
        return format_sse_event(data_str=self._data.decode(), event=self.kind, id=self.id)

    @cached_property
    def message(self) -> str:
        """As a message of a WebSocket: a JSON object with `event`, `id` and `data`."""
        named = b'{"event":"%b","id":%b,"data":%b}' % (self.kind.encode(), orjson.dumps(self.id), self._data)
        return named.decode()


def end(reason: str, detail: str) -> Event:
    """The last event of a stream, and why it is."""
    return Event("end", None, orjson.dumps({"reason": reason, "detail": detail}))


def members(**parts: bytes) -> bytes:
    """A JSON object of members that are JSON already."""
    return b"{" + b",".join(b'"%b":%b' % (name.encode(), text) for name, text in parts.items()) + b"}"
