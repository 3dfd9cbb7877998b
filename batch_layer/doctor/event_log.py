"""Whether the event log still is what the newest publication took in: the same topic, whole from the cut on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from batch_layer.doctor.finding import Finding
from twofold.lane import Lane, Positions
from twofold.records import OpenReader


@dataclass(frozen=True)
class LogExtent:
    """Where each lane of the event log begins (inclusive) and ends (exclusive) by now."""

    beginnings: Positions
    ends: Positions

    def lacks(self, old: Positions, new: Positions) -> dict[str, tuple[int, int]]:
        """What it has no longer from `old` on, in lanes of its own and up to `new` in others that `new` is of.

        Per lane the first offset, and the one after the last.
        """
        found = {}
        for lane in sorted({*self.ends, *new}):
            first, reached = old.get(lane, 0), new.get(lane, 0)
            begin, end = self.beginnings.get(lane, reached), self.ends.get(lane, first)
            if begin > first:
                found[lane] = (first, max(begin, reached) if end < reached else begin)
            elif end < reached:
                found[lane] = (max(first, end), reached)
        return found


def extent_of(open_reader: OpenReader) -> LogExtent:
    """Ask the event log where its lanes begin and end.

    Raises:
        EventLogError: it does not answer, or there is no such topic.
    """
    reader = open_reader({})
    try:
        return LogExtent(reader.positions, reader.end_offsets())
    finally:
        reader.close()


def look_at_event_log(cut: Positions, extent: LogExtent) -> Iterator[Finding]:
    """Compare the cut of the newest publication with the event log."""
    there = {Lane.parse(lane).topic_id for lane in extent.ends}
    for topic_id in sorted({Lane.parse(lane).topic_id for lane in cut} - there):
        yield Finding(
            "event log",
            f"topic {topic_id}",
            f"the cut is of this topic, but the log is of {', '.join(sorted(there)) or 'none'}: it was deleted and "
            "made anew under its name, or the settings name another.",
            "Read the topic that the cut is of (TWOFOLD_TOPIC, TWOFOLD_BOOTSTRAP_SERVERS), or begin with a new lake.",
        )
    for lane, offset in sorted(cut.items()):
        if lane in extent.ends and offset > extent.ends[lane]:
            yield Finding(
                "event log",
                f"lane {lane}",
                f"the log ends at {extent.ends[lane]}, below the cut at {offset}: the brokers lost records that had "
                "been read, and new ones will come under the same offsets.",
                "Bring the records back on the brokers, or begin with a new lake and topic; `raw` holds what was read.",
            )
    for lane, first in sorted(cut.items()):
        after = extent.beginnings.get(lane, 0)
        if after <= first:
            continue
        yield Finding(
            "event log",
            f"lane {lane}",
            f"retention has taken {after - first} offsets, {first} to {after - 1}, before a cycle came to them.",
            "The next cycle counts them as lost. Let cycles run more often, or keep records longer.",
        )
