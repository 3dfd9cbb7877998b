"""Reading the event log by Spark: from a cut to a cut.

Where the new cut is to be is found by Twofold's own reader, which knows the log's identity, what retention took and
which lanes stall. It reads one record batch at either end of each lane; all between is Spark's to read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic

import orjson
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812  # as everyone calls it

from batch_layer.intake import STALL_S, Intake
from twofold.errors import LaneStalled
from twofold.event_log.security import Security
from twofold.lane import Lane, Positions
from twofold.log_identity import LogIdentity
from twofold.publication import Publication
from twofold.records import RECORD_SCHEMA, OpenReader, RecordReader, lost_by_lane
from twofold.resuming import resume

_POLL_MS = 500


@dataclass(frozen=True)
class Stretch:
    """What is to be read of the log.

    Attributes:
        begins: The first offset of each lane that has something to read.
        intake: What is known of it before it is read: cut, what is lost, stalled lanes, the log; no records.
    """

    begins: dict[str, int]
    intake: Intake

    @property
    def ends(self) -> dict[str, int]:
        """The offset after the last one to read, of the same lanes."""
        return {lane: self.intake.cut[lane] for lane in self.begins}


def find_stretch(
    open_reader: OpenReader, parent: Publication, max_records: int, now_s: Callable[[], float] = monotonic
) -> Stretch:
    """Find what the log holds beyond a publication's cut, about `max_records` offsets of it at most.

    Raises:
        LaneStalled: there is more, but nothing came of any lane for `STALL_S` seconds.
        EventLogError: the event log cannot be read, or is another than the cut is of.
    """
    reader = resume(open_reader, parent.cut, parent.log)
    try:
        begins = reader.positions
        ends = _bounded(begins, reader.end_offsets(), max_records)
        stalled = _wait(reader, {lane: begins[lane] + 1 for lane in ends}, now_s)
        gone = list(reader.lost)
    finally:
        reader.close()
    if stalled and len(stalled) == len(ends):
        raise LaneStalled(
            f"No records came for {STALL_S:.0f} s of {', '.join(stalled)}, though the log ends at {ends} and reading "
            f"stands at {begins}. Look at the broker that leads that partition; the next cycle tries again."
        )
    begins |= {lost.lane: max(lost.next_offset, begins[lost.lane]) for lost in gone}
    reached, log = _reach(open_reader, parent, begins, {lane: ends[lane] for lane in ends.keys() - set(stalled)}, now_s)
    intake = Intake(cut=begins | reached, lost=lost_by_lane(gone), gone=gone, stalled=stalled, log=log)
    return Stretch({lane: begins[lane] for lane, end in reached.items() if end > begins[lane]}, intake)


def records_of(spark: SparkSession, brokers: str, topic: str, security: Security, stretch: Stretch) -> DataFrame:
    """The records of a stretch of a topic (`RECORD_SCHEMA`); reading it fails where retention has taken some."""
    lanes = {Lane.parse(lane).partition: lane for lane in stretch.begins}
    records = spark.read.format("kafka").options(
        **{
            "kafka.bootstrap.servers": brokers,
            "kafka.isolation.level": "read_committed",
            **{f"kafka.{name}": value for name, value in security.java_options().items()},
            "assign": orjson.dumps({topic: sorted(lanes)}).decode(),
            "startingOffsets": _offsets(topic, stretch.begins),
            "endingOffsets": _offsets(topic, stretch.ends),
            "includeHeaders": "true",
            "failOnDataLoss": "true",
        }
    )
    lane = F.create_map(*(F.lit(each) for pair in lanes.items() for each in pair))[F.col("partition")]
    named = records.load().withColumns({"lane": lane, "logged_at": F.col("timestamp")})
    return named.select(*(f"`{name}`" for name in RECORD_SCHEMA))


def _offsets(topic: str, positions: Positions) -> str:
    offsets = {str(Lane.parse(lane).partition): offset for lane, offset in positions.items()}
    return orjson.dumps({topic: offsets}).decode()


def _bounded(begins: Positions, ends: Positions, max_records: int) -> dict[str, int]:
    """How far to read each lane that has more, so that it is about `max_records` together."""
    more = {lane: end - begins[lane] for lane, end in ends.items() if end > begins.get(lane, end)}
    total = sum(more.values())
    share = min(1.0, max_records / total) if total else 1.0
    return {lane: begins[lane] + max(1, min(count, round(count * share))) for lane, count in more.items()}


def _wait(reader: RecordReader, wanted: Positions, now_s: Callable[[], float]) -> list[str]:
    """Poll until the reader has come to these positions; gives the lanes that stalled for `STALL_S` seconds."""
    progressed_at_s = now_s()
    while behind := sorted(lane for lane, offset in wanted.items() if reader.positions[lane] < offset):
        if now_s() - progressed_at_s > STALL_S:
            return behind
        before = reader.positions
        reader.poll(_POLL_MS, 1)
        if reader.positions != before:
            progressed_at_s = now_s()
    return []


def _reach(
    open_reader: OpenReader, parent: Publication, begins: Positions, ends: Positions, now_s: Callable[[], float]
) -> tuple[dict[str, int], LogIdentity]:
    """Where a reader stands that has read the record batches before `ends`, and the log that it reads.

    It ends with whole record batches, and knows the leader epochs that its positions were reached in.
    """
    lanes = parent.log.open_lanes(begins)
    epochs: Mapping[str, int] = {lane: epoch for lane, epoch in parent.log.epochs.items() if lane not in ends}
    last = {lane: max(offset, ends.get(lane, 0) - 1) for lane, offset in lanes.items()}
    reader = resume(open_reader, last, LogIdentity(parent.log.cluster_id, parent.log.topic_id, epochs))
    try:
        _wait(reader, ends, now_s)
        return reader.positions, reader.log
    finally:
        reader.close()
