"""An answer as a frame, with what it was made of."""

from __future__ import annotations

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
    """

    frame: pl.DataFrame
    receipt: dict[str, Any]
    freshness: dict[str, Any]

    def _repr_html_(self) -> str:
        """The rows, as a notebook shows them."""
        return self.frame._repr_html_()

    @classmethod
    def from_arrow(cls, body: bytes) -> Answer:
        """Read an answer from an Arrow IPC stream, whose schema bears receipt and freshness."""
        table = pa.ipc.open_stream(body).read_all()
        frame = pl.from_arrow(table)
        if not isinstance(frame, pl.DataFrame):
            raise TypeError(type(frame))
        told = table.schema.metadata or {}
        return cls(frame, orjson.loads(told[b"twofold.receipt"]), orjson.loads(told[b"twofold.freshness"]))
