"""Resuming: going on reading from a cut, in the log that the cut is of."""

from __future__ import annotations

from twofold.lane import Positions
from twofold.log_identity import LogIdentity
from twofold.records import Lost, OpenReader, RecordBatch, RecordReader


def resume(open_reader: OpenReader, cut: Positions, log: LogIdentity) -> RecordReader:
    """A reader from a cut on; lanes that are closed stay in its positions where they are.

    Raises:
        TopicMissing: there is no such topic.
        TopicReplaced: the cut is of another topic.
        ClusterDiffers: the cut is of another cluster.
        EventLogUnreachable: no broker answers.
    """
    reader = open_reader(log.open_lanes(cut))
    try:
        reader.hold_to(log)
    except BaseException:
        reader.close()
        raise
    closed = log.closed_lanes(cut)
    return _BesideClosed(reader, closed) if closed else reader


class _BesideClosed:
    """A reader whose positions hold closed lanes, too."""

    def __init__(self, reader: RecordReader, closed: Positions) -> None:
        self._reader = reader
        self._closed = closed

    @property
    def positions(self) -> dict[str, int]:
        return {**self._closed, **self._reader.positions}

    @property
    def lost(self) -> list[Lost]:
        return self._reader.lost

    @property
    def log(self) -> LogIdentity:
        return self._reader.log

    def hold_to(self, log: LogIdentity) -> None:
        self._reader.hold_to(log)

    def poll(self, timeout_ms: int, max_records: int) -> list[RecordBatch]:
        return self._reader.poll(timeout_ms, max_records)

    def end_offsets(self) -> dict[str, int]:
        return self._reader.end_offsets()

    def close(self) -> None:
        self._reader.close()
