"""The intake of a cycle: the records between the old cut and the new one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic

from twofold.errors import LaneStalled
from twofold.lane import Positions, at_least
from twofold.log_identity import LogIdentity
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
        gone: Which ones.
        stalled: The lanes of which nothing came for `STALL_S` seconds, though the log has more.
        log: Which log they are of, up to the cut.
    """

    batches: list[RecordBatch] = field(default_factory=list)
    cut: dict[str, int] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    gone: list[Lost] = field(default_factory=list)
    stalled: list[str] = field(default_factory=list)
    log: LogIdentity = field(default_factory=LogIdentity)

    @property
    def records(self) -> int:
        """How many records, over all lanes."""
        return sum(self.read.values())

    def moved(self, cut: Positions) -> list[str]:
        """The lanes that it goes beyond a cut in, in order."""
        return sorted(lane for lane, offset in self.cut.items() if offset != cut.get(lane, 0))

    def with_kept(self, kept: Sequence[RecordBatch]) -> Intake:
        """The intake with records that were gone from the log but have been found elsewhere, in their places."""
        if not kept:
            return self
        batches = sorted([*kept, *self.batches], key=lambda batch: batch.offsets[0])
        gone = [part for each in self.gone for part in _without(each, kept)]
        return replace(self, batches=batches, read=read_by_lane(batches), lost=lost_by_lane(gone), gone=gone)


def take_in(reader: RecordReader, max_records: int, now_s: Callable[[], float] = monotonic) -> Intake:
    """Read up to what is in the log now, or until `max_records` have been read.

    Lanes are independent: where one of them stalls the others are taken in all the same, and it stays where it is.

    Raises:
        LaneStalled: the broker says that there is more, but nothing came of any lane for `STALL_S` seconds.
        EventLogError: the event log cannot be read.
    """
    ends = reader.end_offsets()
    batches: list[RecordBatch] = []
    count = 0
    begun_at_s = progressed_at_s = now_s()
    moved_at_s: dict[str, float] = {}
    while count < max_records and not at_least(reader.positions, ends) and now_s() - progressed_at_s <= STALL_S:
        before = reader.positions
        batches += (found := reader.poll(_POLL_MS, min(_POLL_RECORDS, max_records - count)))
        count += sum(len(batch) for batch in found)
        if reader.positions != before:
            progressed_at_s = now_s()
            moved_at_s |= {lane: progressed_at_s for lane, at in reader.positions.items() if at != before.get(lane)}
    behind = {lane for lane, end in ends.items() if reader.positions.get(lane, 0) < end}
    stalled = sorted(lane for lane in behind if now_s() - moved_at_s.get(lane, begun_at_s) > STALL_S)
    if stalled and not count:
        raise LaneStalled(
            f"No records came for {STALL_S:.0f} s of {', '.join(stalled)}, though the log ends at "
            f"{ {lane: ends[lane] for lane in stalled} } and reading stands at {reader.positions}. Look at the broker "
            "that leads that partition; the next cycle tries again."
        )
    gone = list(reader.lost)
    return Intake(batches, reader.positions, read_by_lane(batches), lost_by_lane(gone), gone, stalled, reader.log)


def _without(gone: Lost, kept: Sequence[RecordBatch]) -> Iterator[Lost]:
    """What is left of a range."""
    at = gone.first_offset
    found = sorted(offset for batch in kept if batch.lane == gone.lane for offset in batch.offsets)
    for offset in [offset for offset in found if gone.first_offset <= offset < gone.next_offset]:
        if at < offset:
            yield Lost(gone.lane, at, offset)
        at = offset + 1
    if at < gone.next_offset:
        yield Lost(gone.lane, at, gone.next_offset)
