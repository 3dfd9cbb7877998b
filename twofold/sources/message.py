"""Messages: records on their way to the event log."""

from __future__ import annotations

from typing import NamedTuple

from twofold.source import SOURCE_HEADER, Source

Headers = list[tuple[str, bytes]]


class Message(NamedTuple):
    """One record to be produced. A null `value` is a tombstone; a null `key` leaves the partition to the producer."""

    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def size_bytes(self) -> int:
        """Bytes of key and value; what the headers take is small and left out."""
        return len(self.key or b"") + len(self.value or b"")


class Scheduled(NamedTuple):
    """A message and when it is due, in seconds after the first one of its schedule."""

    due_s: float
    message: Message


def source_headers(name: str, source: Source, received_us: int | None = None) -> Headers:
    """Make the headers that say where a record comes from.

    Args:
        name: the name under which `source` is declared.
        source: the declaration; it says whether, and in which header, a receive time is told.
        received_us: when the collector received the record, in UTC microseconds.
    """
    headers = [(SOURCE_HEADER, name.encode())]
    if source.collected_header is not None and received_us is not None:
        headers.append((source.collected_header, b"%d" % received_us))
    return headers
