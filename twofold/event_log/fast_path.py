"""The fast path: whole record batches out of the client library's fetcher.

kafka-python builds an object for every record, which costs several times as much as all that Twofold does with it. Its
fetcher makes the class `PartitionRecords` for each partition of a response, and `WholeBatches` may stand in its place:
the library's own loop goes on checking sums and leaving out control batches and aborted transactions, but what it takes
for a record is a whole batch. This is no public interface; the canary tries it out before it is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord, Fetcher
from kafka.record import MemoryRecords
from kafka.record.abc import ABCRecordBatch
from kafka.record.default_records import DefaultRecord, DefaultRecordBatch

from twofold.event_log.framing import RawBatch, frame
from twofold.records import RecordBatch


def to_batches(lane: str, records: list[ConsumerRecord], from_offset: int) -> list[RecordBatch]:
    """Make columns from what `poll` returned for one lane, on either path, without records below `from_offset`.

    On the fast path this is one batch, unless records of an old message format lie between.

    Raises:
        CorruptRecordError: lengths inside a batch contradict each other.
    """
    batches = []
    for whole, run in groupby(records, lambda record: isinstance(record.value, RawBatch)):
        alike = list(run)
        if whole:
            batches.append(frame(lane, [record.value for record in alike], from_offset))
        else:
            batches.append(_from_records(lane, alike))
    return batches


def _from_records(lane: str, records: list[ConsumerRecord]) -> RecordBatch:
    return RecordBatch(
        lane=lane,
        offsets=[record.offset for record in records],
        timestamps_ms=[record.timestamp for record in records],
        keys=[record.key for record in records],
        values=[record.value for record in records],
        headers=[tuple(record.headers) for record in records] if any(record.headers for record in records) else None,
        next_offset=records[-1].offset + 1,
    )


class WholeBatches(Fetcher.PartitionRecords):  # type: ignore[misc]  # the library carries no types
    """The records of one partition in one response, a whole batch at a time."""

    def __init__(
        self, fetch_offset: int, tp: TopicPartition, records: MemoryRecords, *args: object, **kwargs: object
    ) -> None:
        super().__init__(fetch_offset, tp, _Batches(records), *args, **kwargs)

    def take(self, n: int | None = None) -> _Taken:
        """Take batches until they hold at least `n` records."""
        taken = _Taken()
        while n is None or len(taken) < n:
            try:
                one = super().take(1)
            except Exception as error:
                if not taken:
                    raise
                self._next_inline_exception = error  # raised by the next call, as the library does
                break
            if not one:
                break
            taken.add(one[0])
        return taken


class _Taken:
    """What the fetcher gets for a list: iterates over batches, while its length counts their records."""

    def __init__(self) -> None:
        self._items: list[ConsumerRecord] = []
        self._records = 0

    def add(self, item: ConsumerRecord) -> None:
        self._items.append(item)
        self._records += len(item.value) if isinstance(item.value, RawBatch) else 1

    def __len__(self) -> int:
        return self._records

    def __iter__(self) -> Iterator[ConsumerRecord]:
        return iter(self._items)


class _Batches:
    """Stands for the library's `MemoryRecords`: the same batches, each iterating over one record, itself."""

    def __init__(self, records: MemoryRecords) -> None:
        self._records = records

    def next_batch(self) -> ABCRecordBatch | None:
        batch = self._records.next_batch()
        return _WholeBatch(batch) if isinstance(batch, DefaultRecordBatch) else batch


class _WholeBatch:
    """Stands for one `DefaultRecordBatch`."""

    __slots__ = ("_batch",)

    def __init__(self, batch: DefaultRecordBatch) -> None:
        self._batch = batch

    def __getattr__(self, name: str) -> object:
        return getattr(self._batch, name)

    def __next__(self) -> DefaultRecord:  # the library looks at the one record of a control batch
        return next(self._batch)

    def __iter__(self) -> Iterator[_AsRecord]:
        batch = iter(self._batch)  # which also decompresses it
        if batch.records_count:
            raw = RawBatch(
                records=batch._buffer[batch._pos :],  # noqa: SLF001  # its records, uncompressed
                count=batch.records_count,
                base_offset=batch.base_offset,
                next_offset=batch.next_offset,
                first_time_ms=batch.first_timestamp,
                append_time_ms=batch.max_timestamp if batch.timestamp_type == batch.LOG_APPEND_TIME else None,
            )
            yield _AsRecord(raw, batch.last_offset, batch.size_in_bytes)


@dataclass(frozen=True, slots=True)
class _AsRecord:
    """Stands for one record; its offset is the batch's last, so that a batch below the fetch offset is left out."""

    value: RawBatch
    offset: int
    size_in_bytes: int
    timestamp: int = -1
    timestamp_type: int = 0
    key: None = None
    headers: tuple[()] = ()
    checksum: None = None

    def validate_crc(self) -> bool:
        return True  # the batch's sum covers it, and the library has checked it by now
