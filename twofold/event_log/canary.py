"""The canary: tries the fast path out in memory, before a consumer is switched to it.

Batches that the library's own builder makes are read as whole batches and, the library's way, record by record. A
difference, or an error, means that a release of kafka-python has changed what the fast path leans on, and the public
path is taken.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord, Fetcher
from kafka.protocol.consumer import IsolationLevel
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from twofold.event_log.fast_path import WholeBatches, to_batches

_log = logging.getLogger(__name__)


def take_fast_path(consumer: KafkaConsumer) -> bool:
    """Make one consumer yield whole batches; return whether it does.

    The values of what its `poll` then returns are `RawBatch`; records of message formats before 2 stay single.
    """
    try:
        _try_out(consumer)
        consumer._fetcher.PartitionRecords = WholeBatches  # noqa: SLF001  # the private surface that was just tried out
    except Exception as error:  # noqa: BLE001  # whatever a release changed, the public path reads on
        _log.warning(
            "The fast path does not fit the installed kafka-python (%s: %s); reading by the public path, which gives "
            "the same records and takes several times the CPU.",
            type(error).__name__,
            error,
        )
        return False
    return True


class _Aborted(NamedTuple):
    producer_id: int
    first_offset: int


_CANARY_PARTITION = TopicPartition("canary", 0)
_CANARY_FROM = 11
_CANARY_TAKE = 2
_CANARY_RECORDS: list[tuple[int, int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]] = [
    (0, 1_700_000_000_000, b"key", b"value", []),
    (1, 1_700_000_000_007, None, b"", [("source", b"here"), ("empty", None)]),
    (3, 1_700_000_000_001, b"\xff", None, [("source", b"")]),
    (400, 1_700_000_900_000, b"", b"long" * 5_000, []),
]


def _try_out(consumer: KafkaConsumer) -> None:
    """Read the same batches in both ways.

    Raises:
        ValueError: they differ.
        TypeError: the consumer's fetcher is not made as the fast path knows it.
    """
    if consumer._fetcher.PartitionRecords is not Fetcher.PartitionRecords:  # noqa: SLF001  # the private surface
        raise TypeError("the consumer makes its records elsewhere")
    whole = _canary_read(WholeBatches)
    single = _canary_read(Fetcher.PartitionRecords)
    if not whole or whole != single:
        raise ValueError(f"whole batches read as {len(whole)} fields, single records as {len(single)}, or they differ")


def _canary_read(kind: type[Fetcher.PartitionRecords]) -> list[object]:
    """Every field of every record in the canary's batches, and where the reading ended."""
    part = kind(
        _CANARY_FROM,
        _CANARY_PARTITION,
        MemoryRecords(_canary_bytes()),
        check_crcs=True,
        isolation_level=IsolationLevel.READ_COMMITTED,
        aborted_transactions=[_Aborted(producer_id=7, first_offset=1_000)],
    )
    records: list[ConsumerRecord] = []
    while part:
        records.extend(part.take(_CANARY_TAKE))
    fields: list[object] = [part.next_fetch_offset]
    for batch in to_batches("canary", records, _CANARY_FROM):
        headers = batch.headers or [()] * len(batch)
        fields.extend(zip(batch.offsets, batch.timestamps_ms, batch.keys, batch.values, headers, strict=True))
    return fields


def _canary_bytes() -> bytes:
    """Batches with a beginning below the position, compression, an aborted transaction, and gaps in the offsets."""
    plain = DefaultRecordBatch.CODEC_NONE
    batches = [
        _canary_batch(10, plain),
        _canary_batch(500, DefaultRecordBatch.CODEC_GZIP),
        _canary_batch(1_000, plain, aborted=True),
        _canary_batch(2_000, plain),
    ]
    return b"".join(batches)


def _canary_batch(base_offset: int, codec: int, *, aborted: bool = False) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=codec,
        is_transactional=aborted,
        producer_id=7 if aborted else -1,
        producer_epoch=0 if aborted else -1,
        base_sequence=0 if aborted else -1,
        batch_size=1 << 20,
    )
    for offset, time_ms, key, value, headers in _CANARY_RECORDS:
        builder.append(offset, time_ms, key, value, headers)
    # The base offset is the broker's to write; the batch's sum does not cover it.
    return base_offset.to_bytes(8, "big") + bytes(builder.build())[8:]
