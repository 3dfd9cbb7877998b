"""An event log in memory: lanes with offsets, markers and retention, and readers that poll as they are told."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from twofold.errors import ClusterDiffers, LogTruncated, TopicReplaced
from twofold.lane import ALL_LANES, Lane, Positions, Share
from twofold.log_identity import LogIdentity
from twofold.records import Lost, RecordBatch

Headers = tuple[tuple[str, bytes | None], ...]
Poll = Sequence[tuple[int, int]]
"""What one poll hands over: (lane's place among the lanes, how many records at most), one after the other."""


@dataclass(frozen=True, slots=True)
class LoggedRecord:
    """One record of a lane."""

    lane: str
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass
class _LaneLog:
    """A lane: its records by offset, where it begins by now, and the offset after its last one."""

    records: dict[int, LoggedRecord] = field(default_factory=dict)
    beginning: int = 0
    end: int = 0
    truncated: list[int] = field(default_factory=list)


class MemoryLog:
    """A log that may be appended to while it is read. Offsets start at 0; a lane may be added at any time."""

    def __init__(self, lanes: Iterable[str], cluster_id: str = "cluster") -> None:
        self.cluster_id = cluster_id
        self._lanes = {lane: _LaneLog() for lane in lanes}
        self._changed = threading.Condition()

    @property
    def lanes(self) -> list[str]:
        """The lanes, in the order in which they came."""
        return list(self._lanes)

    @property
    def records(self) -> list[LoggedRecord]:
        """Every record that was ever appended and has not been trimmed away."""
        with self._changed:
            return [record for lane in self._lanes.values() for record in lane.records.values()]

    def add_lane(self, lane: str) -> None:
        """Add a lane, as a topic gets one more partition."""
        with self._changed:
            self._lanes = {**self._lanes, lane: _LaneLog()}

    def append(
        self, lane: str, value: bytes | None, *, timestamp_ms: int, key: bytes | None = None, headers: Headers = ()
    ) -> int:
        """Append a record and return its offset."""
        with self._changed:
            log = self._lanes[lane]
            offset = log.end
            log.records[offset] = LoggedRecord(lane, offset, timestamp_ms, key, value, headers)
            log.end += 1
            self._changed.notify_all()
            return offset

    def at(self, lane: str, offset: int) -> LoggedRecord:
        """The record of a lane at an offset that has not been trimmed away."""
        with self._changed:
            return self._lanes[lane].records[offset]

    def append_marker(self, lane: str) -> None:
        """Use up one offset without a record, as a transaction marker does."""
        with self._changed:
            self._lanes[lane].end += 1
            self._changed.notify_all()

    def trim(self, lane: str, offset: int) -> None:
        """Let retention take everything before an offset."""
        with self._changed:
            log = self._lanes[lane]
            log.beginning = max(log.beginning, offset)
            log.records = {at: record for at, record in log.records.items() if at >= log.beginning}

    def truncate(self, lane: str, offset: int) -> None:
        """Lose everything from an offset on, as by an unclean leader election: other records may come there."""
        with self._changed:
            log = self._lanes[lane]
            log.truncated.append(offset)
            log.end = min(log.end, offset)
            log.records = {at: record for at, record in log.records.items() if at < offset}

    def truncations(self, lane: str) -> list[int]:
        """Where the lane was truncated, one leader epoch after the other."""
        with self._changed:
            return list(self._lanes[lane].truncated)

    def end_offsets(self) -> dict[str, int]:
        """The offset after the last one, per lane."""
        with self._changed:
            return {lane: log.end for lane, log in self._lanes.items()}

    def open_reader(self, start: Positions, polls: Iterable[Poll] = (), share: Share = ALL_LANES) -> MemoryReader:
        """A reader from `start` on, whose first polls hand over what `polls` say; after these, all that fits."""
        return MemoryReader(self, start, polls, share)

    def up_to(self, positions: Positions) -> MemoryLog:
        """A copy that ends at `positions`; lanes that these do not name are left out."""
        copy = MemoryLog(())
        with self._changed:
            for lane, end in positions.items():
                log = self._lanes[lane]
                kept = {at: record for at, record in log.records.items() if at < end}
                copy._lanes[lane] = _LaneLog(kept, log.beginning, end)
        return copy

    def read(self, lane: str, position: int, limit: int) -> tuple[list[LoggedRecord], int]:
        """Records from a position on, and the position after them, which is past markers where records ran out."""
        with self._changed:
            log = self._lanes[lane]
            at = max(position, log.beginning)
            found: list[LoggedRecord] = []
            while at < log.end and len(found) < limit:
                if at in log.records:
                    found.append(log.records[at])
                at += 1
            return found, at

    def beginning(self, lane: str) -> int:
        """The first offset that retention has left."""
        with self._changed:
            return self._lanes[lane].beginning

    def wait_for_more(self, positions: Positions, timeout_s: float) -> None:
        """Wait until a lane goes on past these positions, or the time is up."""
        with self._changed:
            self._changed.wait_for(
                lambda: any(self._lanes[lane].end > position for lane, position in positions.items()), timeout_s
            )


class MemoryReader:
    """Reads a `MemoryLog` as `twofold.records.RecordReader` says."""

    def __init__(self, log: MemoryLog, start: Positions, polls: Iterable[Poll], share: Share = ALL_LANES) -> None:
        self._log = log
        self._share = share
        self._polls = deque(polls)
        self._lost: list[Lost] = []
        strange = {Lane.parse(lane).topic_id for lane in start} - {Lane.parse(lane).topic_id for lane in log.lanes}
        if strange and log.lanes:
            raise TopicReplaced(f"The positions are of {strange}.")
        self._held_to = LogIdentity()
        successions = {Lane.parse(lane).partition: lane for lane in sorted(start, key=Lane.parse)}
        self._names = {lane: successions.get(Lane.parse(lane).partition, lane) for lane in log.lanes}
        self._positions = {lane: start.get(self._name(lane), 0) for lane in log.lanes if self._has(lane)}
        for lane in list(self._positions):
            self._skip_lost(lane)

    @property
    def positions(self) -> dict[str, int]:
        """The next offset to read, per lane."""
        return {self._name(lane): offset for lane, offset in self._positions.items()}

    @property
    def lost(self) -> list[Lost]:
        """Ranges that retention took from under this reader, so far."""
        return list(self._lost)

    @property
    def log(self) -> LogIdentity:
        """The log's cluster, its topic if there is one, and how often each lane has been truncated."""
        topics = {Lane.parse(lane).topic_id for lane in self._log.lanes}
        epochs = {self._name(lane): len(self._log.truncations(lane)) for lane in self._log.lanes}
        return LogIdentity(self._log.cluster_id, topics.pop() if len(topics) == 1 else "", epochs)

    def hold_to(self, log: LogIdentity) -> None:
        """See that the log is the one that the positions are of."""
        if log.cluster_id not in ("", self._log.cluster_id):
            raise ClusterDiffers(f"The positions are of cluster {log.cluster_id}.")
        self._held_to = log

    def tell(self, poll: Poll) -> None:
        """Say what the next poll hands over, after those that have been told already."""
        self._polls.append(poll)

    def poll(self, timeout_ms: int, max_records: int) -> list[RecordBatch]:
        """Records that are there: as the next of the told polls says, or lane after lane until `max_records`."""
        lanes = self._log.lanes
        self._see_whether_truncated()
        self._positions = {lane: 0 for lane in lanes if self._has(lane)} | self._positions
        told = self._polls.popleft() if self._polls else None
        if told is None:
            self._log.wait_for_more(self._positions, timeout_ms / 1000)
        batches = []
        left = max_records
        for place, size in [(place, max_records) for place in range(len(lanes))] if told is None else told:
            batch = self._take(lanes[place % len(lanes)], min(size, left))
            if batch is not None:
                batches.append(batch)
                left -= len(batch)
        return batches

    def end_offsets(self) -> dict[str, int]:
        """The offset after the last record, per lane."""
        ends = self._log.end_offsets()
        return {self._name(lane): offset for lane, offset in ends.items() if self._has(lane)}

    def close(self) -> None:
        """Nothing is held."""

    def _see_whether_truncated(self) -> None:
        parts: dict[str, int | None] = {}
        for lane in self._log.lanes:
            truncations = self._log.truncations(lane)[self._held_to.epochs.get(self._name(lane), 0) :]
            position = self._positions.get(lane, 0)
            if truncations and min(truncations) < position:
                parts[self._name(lane)] = min(truncations)
            elif position > self._log.end_offsets()[lane]:
                parts[self._name(lane)] = None
        if parts:
            raise LogTruncated(f"The log was truncated: {parts}.", parts)

    def _name(self, lane: str) -> str:
        """What a lane of the log is called here: where it follows another, by its succession."""
        return self._names.get(lane, lane)

    def _take(self, lane: str, limit: int) -> RecordBatch | None:
        if limit <= 0 or not self._has(lane):
            return None
        self._skip_lost(lane)
        found, at = self._log.read(lane, self._positions[lane], limit)
        self._positions[lane] = at
        if not found:
            return None
        return RecordBatch(
            lane=self._name(lane),
            offsets=[record.offset for record in found],
            timestamps_ms=[record.timestamp_ms for record in found],
            keys=[record.key for record in found],
            values=[record.value for record in found],
            headers=[record.headers for record in found] if any(record.headers for record in found) else None,
            next_offset=at,
        )

    def _has(self, lane: str) -> bool:
        return self._share.has(Lane.parse(lane).partition)

    def _skip_lost(self, lane: str) -> None:
        beginning = self._log.beginning(lane)
        if self._positions[lane] < beginning:
            self._lost.append(Lost(self._name(lane), self._positions[lane], beginning))
            self._positions[lane] = beginning


class Faucet:
    """Opens readers of a log that hand over one record a poll, and only so many as were let through."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._drops = threading.Semaphore(0)

    def open_reader(self, start: Positions) -> MemoryReader:
        drops = self._drops

        class Dripping(MemoryReader):
            def poll(self, timeout_ms: int, max_records: int) -> list[RecordBatch]:
                return super().poll(0, min(1, max_records)) if drops.acquire(timeout=timeout_ms / 1000) else []

        return Dripping(self._log, start, [])

    def let_through(self, count: int) -> None:
        self._drops.release(count)
