"""Headers: those of many records at once, out of the bytes of whole record batches.

Each header is: name length varint, name | value length varint, value; a value of length -1 is null. The records of a
producer carry the same few headers, so these are read column by column; a record with many is read by itself.
"""

from __future__ import annotations

import numpy as np
from kafka.errors import CorruptRecordError

from twofold.event_log.slices import Slices
from twofold.event_log.varints import Bytes, Ints, read_varint, read_varints

Headers = tuple[tuple[str, bytes | None], ...]

_FEW = 8
_SHORT_BYTES = 64


def read_headers(buffer: bytes, counts: Ints, starts: Ints, ends: Ints) -> list[Headers] | None:
    """Read the headers of records: `counts` of them lie between `starts` and `ends` of each. None if there are none.

    Raises:
        CorruptRecordError: they do not fill their places.
        IndexError: the buffer ends before they do.
    """
    if not np.any(counts):
        return None
    headers: list[Headers] = [()] * len(counts)
    for count in range(1, _FEW + 1):
        which = np.flatnonzero(counts == count)
        if len(which) == len(counts):
            return _by_column(buffer, count, starts, ends)
        if len(which):
            rows = _by_column(buffer, count, starts[which], ends[which])
            for i, row in zip(which.tolist(), rows, strict=True):
                headers[i] = row
    for i in np.flatnonzero(counts > _FEW).tolist():
        headers[i] = _one_by_one(buffer[starts[i] : ends[i]], int(counts[i]))
    return headers


def _by_column(buffer: bytes, count: int, at: Ints, ends: Ints) -> list[Headers]:
    data = np.frombuffer(buffer, np.uint8)
    columns = []
    for _ in range(count):
        name_lengths, name_starts = read_varints(data, at)
        if np.any(name_lengths < 0) or np.any(name_lengths > ends - name_starts):
            raise CorruptRecordError("A header's name does not fit into its record.")
        value_lengths, value_starts = read_varints(data, name_starts + name_lengths)
        if np.any(value_lengths > ends - value_starts):
            raise CorruptRecordError("A header's value does not fit into its record.")
        at = value_starts + np.maximum(value_lengths, 0)
        names = _cut(buffer, data, name_starts, name_lengths)
        values = _cut(buffer, data, value_starts, value_lengths)
        columns.append(zip(_names(names), values, strict=True))
    if np.any(at != ends):
        raise CorruptRecordError("The headers of a record do not fill its length.")
    return list(zip(*columns, strict=True))


def _cut(buffer: bytes, data: Bytes, starts: Ints, lengths: Ints) -> list[bytes | None]:
    """Cut a column out; one that is the same in all records is cut once."""
    first, length = int(starts[0]), int(lengths[0])
    if 0 <= length <= _SHORT_BYTES and np.all(lengths == length):
        letters = data[starts[:, None] + np.arange(length)]
        if np.all(letters == letters[0]):
            return [buffer[first : first + length]] * len(starts)
    return Slices(buffer, starts, lengths).cut()


def _names(encoded: list[bytes | None]) -> list[str]:
    decoded = {name: _name(name or b"") for name in set(encoded)}
    return [decoded[name] for name in encoded]


def _name(encoded: bytes) -> str:
    # A name that is not UTF-8 stays readable; raising here would stop the lane for good.
    return encoded.decode("utf-8", "backslashreplace")


def _one_by_one(part: bytes, count: int) -> Headers:
    headers: list[tuple[str, bytes | None]] = []
    at = 0
    for _ in range(count):
        length, at = read_varint(part, at)
        if not 0 <= length <= len(part) - at:
            raise CorruptRecordError("A header's name does not fit into its record.")
        name = _name(part[at : at + length])
        length, at = read_varint(part, at + length)
        headers.append((name, None if length < 0 else part[at : at + length]))
        at += max(length, 0)
    if at != len(part):
        raise CorruptRecordError("The headers of a record do not fill its length.")
    return tuple(headers)
