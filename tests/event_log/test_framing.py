from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from twofold.event_log.framing import RawBatch, frame
from twofold.records import RecordBatch

BASE = 1_000
TIME_MS = 1_700_000_000_000

Row = tuple[int, int, bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]

maybe_bytes = st.none() | st.binary(max_size=9) | st.integers(0, 9_000).map(bytes)
records = st.tuples(
    st.integers(1, 200) | st.just(70_000),  # how far behind the record before
    st.integers(-(2**40), 2**40),
    maybe_bytes,
    maybe_bytes,
    st.lists(st.tuples(st.text(max_size=5), maybe_bytes), max_size=3)
    | st.lists(st.tuples(st.text(max_size=5), maybe_bytes), min_size=8, max_size=10),
)
logs = st.lists(st.lists(records, min_size=1, max_size=12), min_size=1, max_size=4)


def encoded(log: list[list[tuple]]) -> list[bytes]:
    """The batches of a log as a broker keeps them, by the client library's own builder."""
    batches = []
    base = BASE
    for batch in log:
        builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 1 << 24)  # noqa: FBT003  # the library's signature
        offset = -1
        for gap, time, key, value, headers in batch:
            offset += gap
            builder.append(offset, TIME_MS + time, key, value, headers)
        batches.append(base.to_bytes(8, "big") + bytes(builder.build())[8:])
        base += offset + 1
    return batches


def raw(batch: bytes, *, append_time: bool) -> RawBatch:
    header = DefaultRecordBatch(batch)
    return RawBatch(
        records=batch[DefaultRecordBatch.HEADER_STRUCT.size :],
        count=header.records_count,
        base_offset=header.base_offset,
        next_offset=header.next_offset,
        first_time_ms=header.first_timestamp,
        append_time_ms=header.max_timestamp if append_time else None,
    )


def library_rows(batch: bytes, *, append_time: bool) -> list[Row]:
    header = DefaultRecordBatch(batch)
    return [
        (
            record.offset,
            header.max_timestamp if append_time else record.timestamp,
            record.key,
            record.value,
            tuple(record.headers),
        )
        for record in DefaultRecordBatch(batch)
    ]


def rows(batch: RecordBatch) -> list[Row]:
    headers = batch.headers or [()] * len(batch)
    return list(zip(batch.offsets, batch.timestamps_ms, batch.keys, batch.values, headers, strict=True))


@given(logs, st.lists(st.booleans(), min_size=4, max_size=4), st.integers(0, 300))
def test_framed_records_are_those_that_the_client_library_reads(
    log: list[list[tuple]], append_times: list[bool], skip: int
) -> None:
    batches = encoded(log)
    stamped = list(zip(batches, append_times, strict=False))
    expected = [row for batch, append in stamped for row in library_rows(batch, append_time=append)]
    framed = frame("lane/0", [raw(batch, append_time=append) for batch, append in stamped], BASE + skip)
    assert rows(framed) == [row for row in expected if row[0] >= BASE + skip]
    assert framed.next_offset == DefaultRecordBatch(batches[-1]).next_offset
    assert framed.lane == "lane/0"


def test_headers_are_none_when_no_record_has_any() -> None:
    (batch,) = encoded([[(1, 0, b"k", b"v", [])]])
    assert frame("lane/0", [raw(batch, append_time=True)], 0).headers is None


def test_headers_of_records_below_the_position_are_left_out() -> None:
    (batch,) = encoded([[(1, 0, b"k", b"v", [("a", b"1")]), (1, 0, b"k", b"v", []), (1, 0, None, b"v", [("b", None)])]])
    framed = frame("lane/0", [raw(batch, append_time=True)], BASE + 1)
    assert framed.headers == [(), (("b", None),)]


def test_a_header_name_that_is_not_utf8_does_not_stop_the_lane() -> None:
    (batch,) = encoded([[(1, 0, b"k", b"v", [("name", b"1")])]])
    framed = frame("lane/0", [raw(batch.replace(b"name", b"n\xffme"), append_time=True)], BASE)
    assert framed.headers == [(("n\\xffme", b"1"),)]


@given(logs, st.data())
def test_damaged_bytes_are_an_error_of_the_record_and_nothing_worse(
    log: list[list[tuple]], data: st.DataObject
) -> None:
    whole = raw(encoded(log)[0], append_time=True)
    damaged = bytearray(whole.records)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        framed = frame("lane/0", [replace(whole, records=bytes(damaged))], 0)
    except CorruptRecordError:
        return
    assert len(framed) <= whole.count


@given(logs, st.data())
def test_bytes_that_are_cut_short_or_go_on_are_corrupt(log: list[list[tuple]], data: st.DataObject) -> None:
    whole = raw(encoded(log)[0], append_time=True)
    cut = data.draw(st.integers(0, len(whole.records) - 1))
    with pytest.raises(CorruptRecordError):
        frame("lane/0", [replace(whole, records=whole.records[:cut])], 0)
    with pytest.raises(CorruptRecordError):
        frame("lane/0", [replace(whole, records=whole.records + b"\x00")], 0)


@pytest.mark.parametrize(
    "records",
    [
        bytes([0x01]),  # a record of length -1
        bytes([0xFF] * 12),  # a length of more than 64 bits
        bytes([12, 0, 0, 0, 1, 1, 1]),  # -1 headers
        bytes([14, 0, 0, 0, 1, 1, 2, 0]),  # a header that is not there
        bytes([14, 0, 0, 0, 80, 1, 0, 0]),  # a key longer than its record
        bytes([16, 0, 0, 0, 1, 1, 0, 0, 0]),  # bytes behind the last field
    ],
)
def test_fields_that_contradict_each_other_are_corrupt(records: bytes) -> None:
    batch = RawBatch(records, count=1, base_offset=0, next_offset=1, first_time_ms=0, append_time_ms=0)
    with pytest.raises(CorruptRecordError):
        frame("lane/0", [batch], 0)
