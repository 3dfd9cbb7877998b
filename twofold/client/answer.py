"""Answers as frames, with what they were made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl
import pyarrow as pa

ARROW = "application/vnd.apache.arrow.stream"
"""The media type that answers are asked for in."""


@dataclass(frozen=True)
class Answer:
    """Rows of a view, by keys and window start.

    Attributes:
        frame: The rows; decimals are decimals, and times UTC microseconds. `finality` says how final each is, and
            `frame.to_pandas()` makes a pandas frame of it.
        receipt: What the rows were made of; by its `token` they can be made again.
        freshness: How fresh they are: `newest_event`, `lag_records`, `age_ms` and `speed`.
        next: Of a page that is not the last one, the cursor to the next.
    """

    frame: pl.DataFrame
    receipt: dict[str, Any]
    freshness: dict[str, Any]
    next: str | None = None

    def _repr_html_(self) -> str:
        """The rows, as a notebook shows them."""
        return self.frame._repr_html_()

    @classmethod
    def from_arrow(cls, body: bytes) -> Answer:
        """Read an answer from an Arrow IPC stream, whose schema bears receipt and freshness."""
        frame, told = _read(body)
        following = told.get(b"twofold.next")
        receipt, freshness = orjson.loads(told[b"twofold.receipt"]), orjson.loads(told[b"twofold.freshness"])
        return cls(frame, receipt, freshness, None if following is None else following.decode())


@dataclass(frozen=True)
class SqlAnswer:
    """Rows of a query in SQL, in the order that it says.

    Attributes:
        frame: The rows, with types as in an `Answer`; what DuckDB makes floats of are floats.
        receipts: Of each view that the query read, by its name, what the rows read were made of: all of one
            publication and the same positions. By its `token` they can be made again.
        freshness: How fresh they are, as in an `Answer`.
    """

    frame: pl.DataFrame
    receipts: dict[str, dict[str, Any]]
    freshness: dict[str, Any]

    def _repr_html_(self) -> str:
        """The rows, as a notebook shows them."""
        return self.frame._repr_html_()

    @classmethod
    def from_arrow(cls, body: bytes) -> SqlAnswer:
        """Read an answer from an Arrow IPC stream, whose schema bears receipts and freshness."""
        frame, told = _read(body)
        receipts = {receipt["query"]["view"]: receipt for receipt in orjson.loads(told[b"twofold.receipts"])}
        return cls(frame, receipts, orjson.loads(told[b"twofold.freshness"]))


def _read(body: bytes) -> tuple[pl.DataFrame, Mapping[bytes, bytes]]:
    """The rows of an Arrow IPC stream, and what its schema bears."""
    table = pa.ipc.open_stream(body).read_all()
    return pl.DataFrame(table), table.schema.metadata or {}
