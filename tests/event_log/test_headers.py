import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.errors import CorruptRecordError
from kafka.record.util import encode_varint

from twofold.event_log.headers import Headers, read_headers

one = st.tuples(
    st.sampled_from(["source", "collected_us", ""]) | st.text(max_size=4), st.none() | st.binary(max_size=99)
)
rows = st.lists(st.lists(one, max_size=10).map(tuple), min_size=1, max_size=20)


def encoded(headers: Headers) -> bytes:
    written = bytearray()
    for name, value in headers:
        encode_varint(len(name.encode()), written.append)
        written += name.encode()
        encode_varint(-1 if value is None else len(value), written.append)
        written += value or b""
    return bytes(written)


def read(parts: list[bytes], counts: list[int]) -> list[Headers] | None:
    ends = np.cumsum([len(part) for part in parts]).astype(np.int64)
    starts = ends - np.array([len(part) for part in parts], np.int64)
    return read_headers(b"".join(parts), np.array(counts, np.int64), starts, ends)


@given(rows)
def test_headers_are_read_back_whatever_their_numbers(written: list[Headers]) -> None:
    found = read([encoded(headers) for headers in written], [len(headers) for headers in written])
    assert found == (written if any(written) else None)


@given(st.lists(one, min_size=1, max_size=3).map(tuple), st.integers(1, 30))
def test_headers_that_all_records_share_are_read_back(shared: Headers, size: int) -> None:
    assert read([encoded(shared)] * size, [len(shared)] * size) == [shared] * size


def test_a_name_that_is_not_utf8_stays_readable() -> None:
    assert read([b"\x04\xffa\x01"], [1]) == [(("\\xffa", None),)]
    assert read([b"\x04\xffa\x01" * 9], [9]) == [(("\\xffa", None),) * 9]


@pytest.mark.parametrize("count", [1, 9])
@pytest.mark.parametrize(
    "broken",
    [
        b"\x01\x01",  # a name of length -1
        b"\x40a\x01",  # a name longer than the record
        b"\x02a\x40b",  # a value longer than the record
        b"\x02a\x02bc",  # a byte too many
        b"\x02a",  # no value
    ],
)
def test_headers_that_do_not_fill_their_place_are_corrupt(broken: bytes, count: int) -> None:
    good = b"\x02a\x02b" * (count - 1)
    with pytest.raises((CorruptRecordError, IndexError)):
        read([good + broken], [count])
