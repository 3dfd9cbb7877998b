"""The playback of a capture: its frames as messages, due as they were recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from twofold.source import Source
from twofold.sources.capture import Frame
from twofold.sources.message import Message, Scheduled, source_headers

_NS_PER_S = 1_000_000_000


def schedule_frames(frames: Iterable[Frame], name: str, source: Source) -> Iterator[Scheduled]:
    """Make a message of each frame, due by receive time, or by event time where that is not told.

    The schedule never goes back: a frame that is older than one before it, or tells no time, is due with that one. The
    payload is sent as it came, and the key is the symbol, or None where the frame cannot be read.
    """
    first_ns: int | None = None
    due_s = 0.0
    for frame in frames:
        time_ns = _time_ns(frame)
        if time_ns is not None:
            first_ns = time_ns if first_ns is None else first_ns
            due_s = max(due_s, (time_ns - first_ns) / _NS_PER_S)
        received_us = None if frame.received_ns is None else frame.received_ns // 1000
        key = None if frame.symbol is None else frame.symbol.encode("utf-8", "surrogatepass")
        yield Scheduled(due_s, Message(key, frame.payload, source_headers(name, source, received_us)))


def _time_ns(frame: Frame) -> int | None:
    if frame.received_ns is not None:
        return frame.received_ns
    return None if frame.event_us is None else frame.event_us * 1000
