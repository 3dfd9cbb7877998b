"""The stack: record batches of several lanes laid on top of each other, so that they are decoded together."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from typing import cast

import polars as pl

from twofold.records import RecordBatch

Headers = tuple[tuple[str, bytes | None], ...]


class Stack:
    """Columns over all records, batch by batch; a row number of the stack names one record.

    Attributes:
        keys, values: as they stand in the log; None is an absent key, or a tombstone.
        lanes, offsets, logged_us: String, Int64, Int64; a row's own coordinates and its log time (UTC microseconds).
    """

    def __init__(self, batches: Sequence[RecordBatch]) -> None:
        self._batches = [batch for batch in batches if len(batch)]
        self._starts = list(accumulate((len(batch) for batch in self._batches), initial=0))
        self.keys: list[bytes | None] = list(chain.from_iterable(batch.keys for batch in self._batches))
        self.values: list[bytes | None] = list(chain.from_iterable(batch.values for batch in self._batches))
        timestamps_ms = list(chain.from_iterable(batch.timestamps_ms for batch in self._batches))
        self.logged_us = pl.Series("logged_us", timestamps_ms, dtype=pl.Int64) * 1000
        offsets = list(chain.from_iterable(batch.offsets for batch in self._batches))
        self.offsets = pl.Series("offset", offsets, dtype=pl.Int64)
        self.lanes = pl.Series("lane", [], dtype=pl.String)
        for batch in self._batches:
            self.lanes.append(pl.Series([batch.lane], dtype=pl.String).new_from_index(0, len(batch)))

    def __len__(self) -> int:
        return self._starts[-1]

    def values_of(self, rows: Sequence[int]) -> list[bytes]:
        """The values of rows that are known to have one."""
        every = cast("list[bytes]", self.values)
        return every if len(rows) == len(every) else [every[row] for row in rows]

    @property
    def has_headers(self) -> bool:
        """Whether any record may have headers."""
        return any(batch.headers is not None for batch in self._batches)

    def headers(self) -> Iterator[Headers]:
        """Every record's headers, in the order of the rows; an empty tuple where there are none."""
        for batch in self._batches:
            yield from ((),) * len(batch) if batch.headers is None else batch.headers

    def headers_of(self, row: int) -> Headers:
        """The headers of one record."""
        place = bisect_right(self._starts, row) - 1
        headers = self._batches[place].headers
        return () if headers is None else headers[row - self._starts[place]]
