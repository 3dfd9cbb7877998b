"""The rows of a file as the event log would have them: keys, values, and when a collector received each."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple, Protocol

from twofold.source import Source, WireFormatName
from twofold.sources.capture import Capture, Frame


class Rows(NamedTuple):
    """Some rows of a file, one after the other; all lists are of one length.

    Attributes:
        keys: The symbols, where they can be read.
        values: What the decoder gets.
        received_us: When the collector received it, UTC microseconds; None where that is not told.
    """

    keys: list[bytes | None]
    values: list[bytes]
    received_us: list[int | None]


class RowFile(Protocol):
    """A file of rows, read from its beginning or further on, never all at once."""

    @property
    def wire_format(self) -> WireFormatName:
        """How its values are written."""

    @property
    def read_bytes(self) -> int:
        """How far into the file, about, the last of the given rows was."""

    def read(self, first: int, source: Source, size: int) -> Iterator[Rows]:
        """The rows from that number on, counted from 0, about so many at once.

        Raises:
            CaptureError: the file cannot be read to its end, or lacks what the source declares.
        """


class TextRows:
    """The lines of a capture or of NDJSON, blank ones aside."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture

    @property
    def wire_format(self) -> WireFormatName:
        """How its values are written."""
        return self._capture.wire_format

    @property
    def read_bytes(self) -> int:
        """How far into the file the last of the given rows was."""
        return self._capture.read_bytes

    def read(self, first: int, source: Source, size: int) -> Iterator[Rows]:  # noqa: ARG002  # lines say it themselves
        """The rows from that number on.

        Raises:
            CaptureError: the file cannot be read to its end.
        """
        frames = self._capture.rows(first)
        while some := list(islice(frames, size)):
            yield Rows([_key(frame) for frame in some], [frame.payload for frame in some], [*map(_received_us, some)])


def _key(frame: Frame) -> bytes | None:
    return None if frame.symbol is None else frame.symbol.encode("utf-8", "surrogatepass")


def _received_us(frame: Frame) -> int | None:
    return None if frame.received_ns is None else frame.received_ns // 1000
