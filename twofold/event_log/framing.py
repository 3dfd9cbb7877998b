"""Framing: from the bytes of whole record batches to columns of records.

The bytes are those of Kafka's message format 2 (kafka.apache.org, "Message Format"): after the header of a batch,
which the client library reads, `count` records follow, each of them

    length varint | attributes int8 | timestamp delta varlong | offset delta varint
    | key length varint, key | value length varint, value | header count varint, headers

with zigzag varints, and -1 as the length of null. One loop in Python follows the record lengths, since each record's
place depends on the one before; every other field is read for all records at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from kafka.errors import CorruptRecordError

from twofold.event_log.headers import read_headers
from twofold.event_log.slices import Slices
from twofold.event_log.varints import MORE, Ints, read_varint, read_varints
from twofold.records import RecordBatch


@dataclass(frozen=True, slots=True)
class RawBatch:
    """One whole record batch as fetched: its records, uncompressed, and what its header says about them.

    `append_time_ms` is the one time of all its records when the broker stamps them, else None and the deltas count from
    `first_time_ms`. Both are UTC milliseconds. `next_offset` is where the log goes on, past records that compaction
    removed.
    """

    records: bytes | bytearray
    count: int
    base_offset: int
    next_offset: int
    first_time_ms: int
    append_time_ms: int | None

    def __len__(self) -> int:
        return self.count


def frame(lane: str, batches: Sequence[RawBatch], from_offset: int) -> RecordBatch:
    """Make one batch of columns from consecutive raw batches of a lane, without the records below `from_offset`.

    Raises:
        CorruptRecordError: lengths inside a batch contradict each other.
    """
    buffer = b"".join([batch.records for batch in batches])
    per_batch = [batch.count for batch in batches]
    try:
        starts, ends = _bounds(buffer, batches)
        fields = _Fields.read(buffer, starts, ends)
        offsets = np.repeat(np.array([b.base_offset for b in batches], np.int64), per_batch) + fields.offset_deltas
        kept = slice(int(np.searchsorted(offsets, from_offset)), None)
        headers = read_headers(buffer, fields.header_counts[kept], fields.header_starts[kept], ends[kept])
    except IndexError:
        raise CorruptRecordError(f"A record of {lane} reaches past the end of its batch.") from None
    return RecordBatch(
        lane=lane,
        offsets=offsets[kept].tolist(),
        timestamps_ms=_times_ms(batches, per_batch, fields)[kept].tolist(),
        keys=fields.keys[kept],
        values=fields.values[kept].cut(),
        headers=headers,
        next_offset=batches[-1].next_offset,
    )


def _times_ms(batches: Sequence[RawBatch], per_batch: list[int], fields: _Fields) -> Ints:
    base = [batch.first_time_ms if batch.append_time_ms is None else batch.append_time_ms for batch in batches]
    times = np.repeat(np.array(base, np.int64), per_batch)
    if all(batch.append_time_ms is not None for batch in batches):
        return times
    by_producer = np.repeat(np.array([batch.append_time_ms is None for batch in batches]), per_batch)
    return times + np.where(by_producer, fields.time_deltas, 0)


def _bounds(buffer: bytes, batches: Sequence[RawBatch]) -> tuple[Ints, Ints]:
    """Where the fields of each record start, behind its length, and where they end."""
    places: list[int] = []
    note = places.append
    at = 0
    batch_end = 0
    for batch in batches:
        batch_end += len(batch.records)
        for _ in range(batch.count):
            note(at)
            low = buffer[at]
            if low < MORE:
                at += (low >> 1) + 1
            elif (high := buffer[at + 1]) < MORE:
                at += (high << 6 | low >> 1 & 0x3F) + 2
            else:
                length, at = read_varint(buffer, at)
                at += length
        if at != batch_end:
            raise CorruptRecordError(f"The records of a batch end {at - batch_end:+d} bytes off its end.")
    lengths, starts = read_varints(np.frombuffer(buffer, np.uint8), np.array(places, np.int64))
    if np.any(lengths < 0):
        raise CorruptRecordError("A record has a negative length.")
    return starts, starts + lengths


@dataclass(frozen=True, slots=True)
class _Fields:
    """The fields of all records of some batches, in order."""

    time_deltas: Ints
    offset_deltas: Ints
    keys: Slices
    values: Slices
    header_counts: Ints
    header_starts: Ints

    @classmethod
    def read(cls, buffer: bytes, starts: Ints, ends: Ints) -> _Fields:
        data = np.frombuffer(buffer, np.uint8)
        time_deltas, at = read_varints(data, starts + 1)  # behind the attributes, a byte that has no meaning yet
        offset_deltas, at = read_varints(data, at)
        key_lengths, key_starts = read_varints(data, at)
        value_lengths, value_starts = read_varints(data, _behind(key_starts, key_lengths, ends))
        header_counts, header_starts = read_varints(data, _behind(value_starts, value_lengths, ends))
        if np.any(header_counts < 0):
            raise CorruptRecordError("A record has a negative number of headers.")
        if np.any(header_starts > ends) or np.any((header_starts != ends) & (header_counts == 0)):
            raise CorruptRecordError("The fields of a record do not fill its length.")
        return cls(
            time_deltas,
            offset_deltas,
            Slices(buffer, key_starts, key_lengths),
            Slices(buffer, value_starts, value_lengths),
            header_counts,
            header_starts,
        )


def _behind(starts: Ints, lengths: Ints, ends: Ints) -> Ints:
    if np.any(lengths > ends - starts):
        raise CorruptRecordError("A key or a value is longer than its record.")
    behind: Ints = starts + np.maximum(lengths, 0)
    return behind
