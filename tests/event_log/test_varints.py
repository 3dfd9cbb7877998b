import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.errors import CorruptRecordError
from kafka.record.util import encode_varint

from twofold.event_log.varints import read_varint, read_varints

int64s = st.integers(-(2**63), 2**63 - 1) | st.integers(-300, 300)


def encoded(number: int) -> bytes:
    written = bytearray()
    encode_varint(number, written.append)
    return bytes(written)


@given(st.lists(int64s, min_size=1))
def test_numbers_that_the_client_library_writes_are_read_back(numbers: list[int]) -> None:
    parts = [encoded(number) for number in numbers]
    buffer = b"".join(parts)
    behind = np.cumsum([len(part) for part in parts])
    places = behind - [len(part) for part in parts]
    read, after = read_varints(np.frombuffer(buffer, np.uint8), places.astype(np.int64))
    assert read.tolist() == numbers
    assert after.tolist() == behind.tolist()
    assert [read_varint(buffer, at) for at in places.tolist()] == list(zip(numbers, behind.tolist(), strict=True))


def test_more_than_64_bits_are_corrupt() -> None:
    endless = b"\xff" * 12
    with pytest.raises(CorruptRecordError):
        read_varint(endless, 0)
    with pytest.raises(CorruptRecordError):
        read_varints(np.frombuffer(endless, np.uint8), np.zeros(1, np.int64))


def test_a_number_that_the_buffer_cuts_off_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        read_varint(b"\x80", 0)
    with pytest.raises(IndexError):
        read_varints(np.frombuffer(b"\x80", np.uint8), np.zeros(1, np.int64))
