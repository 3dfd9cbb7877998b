"""The intake of a cycle: the records between the old cut and the new one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from twofold.errors import EventLogError
from twofold.lane import at_least
from twofold.records import Lost, RecordBatch, RecordReader, lost_by_lane, read_by_lane

STALL_S = 30.0
"""Seconds without progress after which a cycle stops waiting for records that the broker says are there."""

_POLL_MS = 500
_POLL_RECORDS = 100_000


@dataclass(frozen=True)
class Intake:
    """What a cycle took in.

    Attributes:
        batches: The records, each lane in order.
        cut: The position after them, per lane.
        read: How many records, per lane.
        lost: How many offsets retention took before they could be read, per lane.
        lost_ranges: Which these are.
    """

    batches: list[RecordBatch] = field(default_factory=list)
    cut: dict[str, int] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    lost_ranges: tuple[Lost, ...] = ()

    @property
    def records(self) -> int:
        """How many records, over all lanes."""
        return sum(self.read.values())


def take_in(reader: RecordReader, max_records: int, now_s: Callable[[], float] = monotonic) -> Intake:
    """Read up to what is in the log now, or until `max_records` have been read.

    Raises:
        EventLogError: the broker says that there is more, but nothing came for `STALL_S` seconds.
    """
    ends = reader.end_offsets()
    batches: list[RecordBatch] = []
    count = 0
    progressed_at_s = now_s()
    while count < max_records and not at_least(reader.positions, ends):
        before = reader.positions
        batches += (found := reader.poll(_POLL_MS, min(_POLL_RECORDS, max_records - count)))
        count += sum(len(batch) for batch in found)
        if reader.positions != before:
            progressed_at_s = now_s()
        elif now_s() - progressed_at_s > STALL_S:
            raise EventLogError(
                f"No records came for {STALL_S:.0f} s, though the log ends at {ends} and reading stands at {before}. "
                "Look at the broker; the next cycle tries again."
            )
    lost = reader.lost
    return Intake(batches, reader.positions, read_by_lane(batches), lost_by_lane(lost), tuple(lost))
