from itertools import chain
from typing import NamedTuple

import pytest
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.protocol.consumer import IsolationLevel
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.legacy_records import LegacyRecordBatchBuilder

from twofold.event_log.fast_path import WholeBatches, to_batches
from twofold.records import RecordBatch

LANE = "lane/0"
PARTITION = TopicPartition("trades", 0)
PRODUCER = 9


class Aborted(NamedTuple):
    producer_id: int
    first_offset: int


def batch(base: int, size: int, *, codec: int = 0, producer: int = -1) -> bytes:
    transactional = producer >= 0
    sequence = 0 if transactional else -1
    builder = DefaultRecordBatchBuilder(2, codec, transactional, producer, sequence, sequence, 1 << 20)
    for offset in range(size):
        builder.append(offset, 1_700_000_000_000 + base + offset, b"k", b"%d" % (base + offset), [])
    return base.to_bytes(8, "big") + bytes(builder.build())[8:]


def marker(offset: int, producer: int, *, abort: bool) -> bytes:
    """A control batch: transactional and control bits set, one record whose key is version 0 and the kind of end."""
    builder = DefaultRecordBatchBuilder(2, 0, True, producer, 0, -1, 1 << 20)  # noqa: FBT003  # the library's signature
    builder.append(0, 1_700_000_000_000, bytes([0, 0, 0, 0 if abort else 1]), b"\x00" * 6, [])
    made = builder.build()
    attributes = builder.ATTRIBUTES_OFFSET
    made[attributes + 1] |= builder.CONTROL_MASK
    made[attributes - 4 : attributes] = crc32c(made[attributes:]).to_bytes(4, "big")
    return offset.to_bytes(8, "big") + bytes(made)[8:]


def old(base: int, size: int) -> bytes:
    builder = LegacyRecordBatchBuilder(1, 0, 1 << 20)
    for offset in range(base, base + size):
        builder.append(offset, 1_700_000_000_000, b"k", b"%d" % offset)
    return bytes(builder.build())


def read(
    kind: type[Fetcher.PartitionRecords], log: bytes, start: int, aborted: list[Aborted], take: int | None = None
) -> tuple[list[RecordBatch], int]:
    part = kind(
        start,
        PARTITION,
        MemoryRecords(log),
        isolation_level=IsolationLevel.READ_COMMITTED,
        aborted_transactions=aborted,
    )
    taken = []
    while part:
        taken.extend(part.take(take))
    return to_batches(LANE, taken, start), part.next_fetch_offset


def values(batches: list[RecordBatch]) -> list[tuple[int, int, bytes | None]]:
    rows = (zip(one.offsets, one.timestamps_ms, one.values, strict=True) for one in batches)
    return list(chain.from_iterable(rows))


def assert_equal_on_both_paths(log: bytes, start: int, aborted: list[Aborted] | None = None) -> list[int]:
    whole, whole_next = read(WholeBatches, log, start, aborted or [], take=4)
    single, single_next = read(Fetcher.PartitionRecords, log, start, aborted or [], take=4)
    assert values(whole) == values(single)
    assert whole_next == single_next
    return [offset for offset, _, _ in values(whole)]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 6), st.sampled_from([0, 1, 3, 4])), min_size=1, max_size=6),
    st.integers(0, 30),
)
def test_any_batches_from_any_position_are_the_same_on_both_paths(log: list[tuple[int, int, int]], start: int) -> None:
    parts = []
    base = 0
    for gap, size, codec in log:
        base += gap
        parts.append(batch(base, size, codec=codec))
        base += size
    expected = assert_equal_on_both_paths(b"".join(parts), start)
    assert all(offset >= start for offset in expected)


def test_records_of_aborted_transactions_and_markers_never_appear() -> None:
    log = [
        batch(0, 2, producer=PRODUCER),
        batch(2, 3),
        marker(5, PRODUCER, abort=True),
        batch(6, 2, producer=PRODUCER),
        marker(8, PRODUCER, abort=False),
    ]
    assert assert_equal_on_both_paths(b"".join(log), 0, [Aborted(PRODUCER, 0)]) == [2, 3, 4, 6, 7]


def test_the_position_moves_behind_markers_at_the_end() -> None:
    log = batch(0, 2, producer=PRODUCER) + marker(2, PRODUCER, abort=True)
    _, behind = read(WholeBatches, log, 0, [Aborted(PRODUCER, 0)])
    assert behind == 3


def test_records_of_an_old_message_format_are_read_between_new_ones() -> None:
    log = batch(0, 3) + old(3, 2) + batch(5, 2)
    assert assert_equal_on_both_paths(log, 1) == [1, 2, 3, 4, 5, 6]
    runs, _ = read(WholeBatches, log, 1, [])
    assert [run.next_offset for run in runs] == [3, 5, 7]


def test_taking_stops_at_the_batch_that_reaches_the_number_of_records() -> None:
    part = WholeBatches(0, PARTITION, MemoryRecords(batch(0, 3) + batch(3, 3) + batch(6, 3)))
    taken = part.take(4)
    assert len(taken) == 6
    assert part.next_fetch_offset == 6
    assert len(part.take(4)) == 3


def test_a_batch_whose_sum_is_wrong_is_corrupt_after_the_good_ones_are_out() -> None:
    damaged = bytearray(batch(3, 3))
    damaged[-1] ^= 1
    part = WholeBatches(0, PARTITION, MemoryRecords(batch(0, 3) + bytes(damaged)))
    assert len(part.take(100)) == 3
    with pytest.raises(CorruptRecordError):
        part.take(100)
