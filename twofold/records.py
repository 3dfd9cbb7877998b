"""Records as they stand in the event log, before anyone looks into them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import polars as pl
import pyarrow as pa

from twofold.lane import Positions
from twofold.log_identity import LogIdentity

RECORD_SCHEMA = pl.Schema(
    {
        "lane": pl.String(),
        "offset": pl.Int64(),
        "logged_at": pl.Datetime("us", "UTC"),
        "key": pl.Binary(),
        "value": pl.Binary(),
        "headers": pl.List(pl.Struct({"key": pl.String(), "value": pl.Binary()})),
    }
)
"""Columns of the `raw` table. `logged_at` is the broker's append time; a null `value` is a tombstone."""


@dataclass(slots=True)
class RecordBatch:
    """Records of one lane in ascending offset, by column; all lists are of one length.

    `values[i]` is None for a tombstone. `headers` is None when no record of the batch has any. `next_offset` is the
    position after the batch, which may be past the last record: transaction markers have offsets too.
    """

    lane: str
    offsets: list[int]
    timestamps_ms: list[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: list[tuple[tuple[str, bytes | None], ...]] | None
    next_offset: int

    def __len__(self) -> int:
        return len(self.offsets)


@dataclass(frozen=True, slots=True)
class Lost:
    """Offsets that retention took before they were read: `first_offset` inclusive, `next_offset` exclusive."""

    lane: str
    first_offset: int
    next_offset: int

    def __str__(self) -> str:
        last = self.next_offset - 1
        return str(last) if last == self.first_offset else f"{self.first_offset} to {last}"


class RecordReader(Protocol):
    """Something that reads every lane of an event log from given positions, each in order."""

    @property
    def positions(self) -> dict[str, int]:
        """The next offset to read, per lane."""

    @property
    def lost(self) -> list[Lost]:
        """Ranges that retention took from under this reader, so far."""

    @property
    def log(self) -> LogIdentity:
        """Which log it reads, and in which leader epochs its positions were reached."""

    def hold_to(self, log: LogIdentity) -> None:
        """See that the positions mean here what they meant in that log.

        Raises:
            ClusterDiffers: they are of another cluster. That the log was truncated is raised by a poll.
        """

    def poll(self, timeout_ms: int, max_records: int) -> list[RecordBatch]:
        """Records that are there, about `max_records` at most; waits `timeout_ms` for the first."""

    def end_offsets(self) -> dict[str, int]:
        """The offset after the last record, per lane."""

    def close(self) -> None:
        """Give back what the reader holds."""


class OpenReader(Protocol):
    """Opens a reader of the event log."""

    def __call__(self, start: Positions) -> RecordReader:
        """A reader that begins at `start`; lanes that it does not name are read from their beginning."""


def read_by_lane(batches: Iterable[RecordBatch]) -> dict[str, int]:
    """How many records there are, per lane."""
    read: dict[str, int] = {}
    for batch in batches:
        read[batch.lane] = read.get(batch.lane, 0) + len(batch)
    return read


def lost_by_lane(ranges: Iterable[Lost]) -> dict[str, int]:
    """How many offsets retention took, per lane."""
    lost: dict[str, int] = {}
    for gap in ranges:
        lost[gap.lane] = lost.get(gap.lane, 0) + gap.next_offset - gap.first_offset
    return lost


def records_frame(batches: Sequence[RecordBatch]) -> pl.DataFrame:
    """Records as a frame of `RECORD_SCHEMA`, in the order given."""
    if not batches:
        return pl.DataFrame(schema=RECORD_SCHEMA)
    return pl.concat([_batch_frame(batch) for batch in batches])


def batch_of(rows: pl.DataFrame, next_offset: int) -> RecordBatch:
    """Rows of `raw`, of one lane and by offset, as they once came from the log."""
    headers = [
        tuple((header["key"], header["value"]) for header in each) if each is not None else ()
        for each in rows["headers"].to_list()
    ]
    return RecordBatch(
        lane=str(rows["lane"][0]),
        offsets=rows["offset"].to_list(),
        timestamps_ms=rows["logged_at"].dt.epoch("ms").to_list(),
        keys=rows["key"].to_list(),
        values=rows["value"].to_list(),
        headers=headers if any(headers) else None,
        next_offset=next_offset,
    )


def batches_of(records: pl.DataFrame) -> list[RecordBatch]:
    """The batches of a frame of `RECORD_SCHEMA`, one per lane, each in order of its offsets."""
    parts = records.sort("lane", "offset").partition_by("lane", maintain_order=True)
    return [batch_of(rows, int(rows["offset"][-1]) + 1) for rows in parts]


def _batch_frame(batch: RecordBatch) -> pl.DataFrame:
    size = len(batch)
    columns = {
        "lane": pl.repeat(batch.lane, size, dtype=pl.String, eager=True),
        "offset": pl.Series(batch.offsets, dtype=pl.Int64),
        "logged_at": (pl.Series(batch.timestamps_ms, dtype=pl.Int64) * 1000).cast(pl.Datetime("us", "UTC")),
        "key": pl.Series(list(batch.keys), dtype=pl.Binary),
        "value": pl.Series(list(batch.values), dtype=pl.Binary),
        "headers": _headers_series(batch),
    }
    return pl.DataFrame(columns, schema=RECORD_SCHEMA)


def _headers_series(batch: RecordBatch) -> pl.Series:
    if batch.headers is None:
        return pl.repeat(None, len(batch), dtype=RECORD_SCHEMA["headers"], eager=True)
    flat = [header for headers in batch.headers for header in headers]
    starts = [0, *accumulate(len(headers) for headers in batch.headers)]
    pairs = pa.StructArray.from_arrays(
        [
            pa.array([key for key, _ in flat], pa.large_string()),
            pa.array([value for _, value in flat], pa.large_binary()),
        ],
        names=["key", "value"],
    )
    return pl.Series(pa.LargeListArray.from_arrays(pa.array(starts, pa.int64()), pairs), dtype=RECORD_SCHEMA["headers"])
