"""Whether the event log still is what the newest publication took in: its cluster and topic, whole from the cut on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from batch_layer.doctor.finding import Finding
from twofold.errors import ClusterDiffers, LogTruncated, TopicReplaced
from twofold.lane import Lane, Positions
from twofold.log_identity import LogIdentity
from twofold.publication import Publication
from twofold.records import OpenReader
from twofold.resuming import resume

_GO_ON = "Bring it back, or give up what is not to be had and go on with what is there: `twofold doctor --mend`."
_LOOK_MS = 1_000


@dataclass(frozen=True)
class LogExtent:
    """What the event log holds by now, by the lanes that reading on from the newest publication would give it.

    Attributes:
        beginnings: Where each lane begins, inclusive.
        ends: Where it ends, exclusive.
        log: Which log it is.
        parts_at: Of the publication's lanes that lost records which had been read: up to where they are still the same,
            or None where that is not known. Other records come in their successors.
    """

    beginnings: Positions
    ends: Positions
    log: LogIdentity = field(default_factory=LogIdentity)
    parts_at: Mapping[str, int | None] = field(default_factory=dict)

    def lacks(self, old: Positions, new: Positions) -> dict[str, tuple[int, int]]:
        """What it has no longer from `old` on, in lanes of its own and up to `new` in others that `new` is of.

        Per lane the first offset, and the one after the last.
        """
        found = {}
        for lane in sorted(lane for lane in {*self.ends, *new} if not Lane.parse(lane).is_import):
            first, reached = old.get(lane, 0), new.get(lane, 0)
            begin, end = self.beginnings.get(lane, reached), self.ends.get(lane, first)
            if begin > first:
                found[lane] = (first, max(begin, reached) if end < reached else begin)
            elif end < reached:
                found[lane] = (max(first, end), reached)
        return found

    def ended(self, publication: Publication) -> dict[str, int]:
        """The lanes of a publication that are read on from, but of which nothing can come any more, with their cuts."""
        still_open = publication.log.open_lanes(publication.cut)
        return {lane: offset for lane, offset in still_open.items() if lane not in self.ends}

    def taken_up(self, publication: Publication) -> Publication:
        """The publication with the lanes that have ended closed at their cuts, and those of this log in their places.

        A topic made anew is read from 0 on. Lanes that follow others in the same partition are read from where records
        are other ones, or if that is not known from the log's beginning: ids tell what is there twice.
        """
        new = {lane: self._start(lane) for lane in self.ends if lane not in publication.cut}
        kept = {lane: epoch for lane, epoch in publication.log.epochs.items() if lane in self.ends}
        return replace(publication, cut={**publication.cut, **new}, log=replace(self.log, epochs=kept))

    def _start(self, name: str) -> int:
        lane = Lane.parse(name)
        if not lane.succession:
            return 0
        parts_at = self.parts_at.get(str(replace(lane, succession=lane.succession - 1)))
        return max(parts_at or 0, self.beginnings[name])


def extent_of(open_reader: OpenReader, publication: Publication) -> LogExtent:
    """Ask the event log where its lanes begin and end, and whether they are those of a publication.

    Raises:
        EventLogError: it does not answer, or there is no such topic.
    """
    reader = open_reader({})
    try:
        beginnings, ends, log = reader.positions, reader.end_offsets(), reader.log
    finally:
        reader.close()
    parts_at = _look_whether_truncated(open_reader, publication)
    still_open = {Lane.parse(lane) for lane in publication.log.open_lanes(publication.cut)}
    known = {(lane.topic_id, lane.partition): lane for lane in still_open}
    is_other = publication.log.cluster_id not in ("", log.cluster_id)

    def named(plain: str) -> str:
        lane = Lane.parse(plain)
        lane = known.get((lane.topic_id, lane.partition), lane)
        ended = str(lane) in parts_at or (is_other and lane in still_open)
        return str(lane.successor() if ended else lane)

    return LogExtent(
        {named(lane): offset for lane, offset in beginnings.items()},
        {named(lane): offset for lane, offset in ends.items()},
        log,
        parts_at,
    )


def _look_whether_truncated(open_reader: OpenReader, publication: Publication) -> dict[str, int | None]:
    try:
        reader = resume(open_reader, publication.cut, publication.log)
    except (TopicReplaced, ClusterDiffers):
        return {}
    try:
        for wait_ms in (_LOOK_MS, 0):  # what the first finds out may be raised by the second
            reader.poll(wait_ms, 1)
    except LogTruncated as truncated:
        return truncated.parts_at
    finally:
        reader.close()
    return {}


def look_at_event_log(publication: Publication, extent: LogExtent) -> Iterator[Finding]:
    """Compare the newest publication with the event log."""
    for lane, offset in sorted(extent.ended(publication).items()):
        yield Finding("event log", f"lane {lane}", _about_end(lane, offset, publication, extent), _GO_ON)
    for lane, first in sorted(publication.cut.items()):
        after = extent.beginnings.get(lane, 0)
        if after <= first:
            continue
        yield Finding(
            "event log",
            f"lane {lane}",
            f"retention has taken {after - first} offsets, {first} to {after - 1}, before a cycle came to them.",
            "The next cycle takes in what an earlier one left in `raw`, and counts the rest as lost. Let cycles run "
            "more often, or keep records longer.",
        )


def _about_end(lane: str, offset: int, publication: Publication, extent: LogExtent) -> str:
    lost = f"What was not taken in, from {offset} on, is not to be had; how much that is is not known."
    if lane in extent.parts_at:
        same = extent.parts_at[lane]
        up_to = "is not known to be what was read" if same is None else f"is what was read up to {same} only"
        return (
            f"the brokers lost records below the cut at {offset}: the log {up_to}, and other records come under the "
            f"same offsets. `raw` holds what was read. {lost}"
        )
    if publication.log.cluster_id not in ("", extent.log.cluster_id):
        return (
            f"it is of cluster {publication.log.cluster_id}, and the cluster that answers is {extent.log.cluster_id}. "
            f"`raw` holds what was read. {lost}"
        )
    return (
        f"the topic of the name has the id {extent.log.topic_id}: the one that was read was deleted and made anew, or "
        f"the settings name another (TWOFOLD_TOPIC, TWOFOLD_BOOTSTRAP_SERVERS). `raw` holds what was read. {lost}"
    )
