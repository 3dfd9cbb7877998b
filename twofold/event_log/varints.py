"""Varints: the numbers of Kafka's message format, zigzag, seven bits a byte, at most 64 bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from kafka.errors import CorruptRecordError

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

MORE = 0x80
"""The bit of a byte that says that another byte follows."""

_LOW = 0x7F
_BITS = 70  # of the ten bytes that 64 bits take


def read_varint(buffer: bytes, at: int) -> tuple[int, int]:
    """Read one number; return it and the place behind it.

    Raises:
        CorruptRecordError: it is longer than 64 bits.
        IndexError: the buffer ends before it does.
    """
    raw = 0
    for shift in range(0, _BITS, 7):
        byte = buffer[at]
        at += 1
        raw |= (byte & _LOW) << shift
        if byte < MORE:
            return raw >> 1 ^ -(raw & 1), at
    raise CorruptRecordError("A number in a record is longer than 64 bits.")


def read_varints(data: Bytes, at: Ints) -> tuple[Ints, Ints]:
    """Read one number at each place; return the numbers and the places behind them.

    Raises:
        CorruptRecordError: one is longer than 64 bits.
        IndexError: the data end before one does.
    """
    first = data[at]
    raw = (first & _LOW).astype(np.uint64)
    behind = at + 1
    longer = np.flatnonzero(first >= MORE)
    shift = 7
    while len(longer):
        if shift >= _BITS:
            raise CorruptRecordError("A number in a record is longer than 64 bits.")
        byte = data[behind[longer]]
        raw[longer] |= (byte & _LOW).astype(np.uint64) << np.uint64(shift)
        behind[longer] += 1
        longer = longer[byte >= MORE]
        shift += 7
    numbers = (raw >> np.uint64(1)).view(np.int64) ^ -(raw & np.uint64(1)).view(np.int64)
    return numbers, behind
