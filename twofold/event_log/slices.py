"""Slices: byte strings that are cut out of one buffer when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np

from twofold.event_log.varints import Ints


class Slices(Sequence[bytes | None]):
    """The byte strings at given places of a buffer; a negative length is null."""

    def __init__(self, buffer: bytes, starts: Ints, lengths: Ints) -> None:
        self._buffer = buffer
        self._starts = starts
        self._lengths = lengths

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> bytes | None: ...
    @overload
    def __getitem__(self, index: slice) -> Slices: ...
    def __getitem__(self, index: int | slice) -> bytes | Slices | None:
        if isinstance(index, slice):
            return Slices(self._buffer, self._starts[index], self._lengths[index])
        length = int(self._lengths[index])
        start = int(self._starts[index])
        return None if length < 0 else self._buffer[start : start + length]

    def __iter__(self) -> Iterator[bytes | None]:
        return iter(self.cut())

    def cut(self) -> list[bytes | None]:
        """Cut all of them at once."""
        buffer = self._buffer
        ends = (self._starts + np.maximum(self._lengths, 0)).tolist()
        cut: list[bytes | None] = [buffer[a:b] for a, b in zip(self._starts.tolist(), ends, strict=True)]
        for i in np.flatnonzero(self._lengths < 0).tolist():
            cut[i] = None
        return cut
