"""Wire formats: how the value of a record is written, and what a format's decoder gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from twofold.decoding.dead_letter import Refusal

FIELD_SCHEMA = pl.Schema(
    {
        "symbol": pl.String(),
        "trade_id": pl.Int64(),
        "trade_key": pl.String(),
        "price_text": pl.String(),
        "size_text": pl.String(),
        "side": pl.String(),
        "event_us": pl.Int64(),
    }
)
"""Columns that every wire format gives. Price and size are still text; `event_us` is UTC microseconds."""

LEAST_INT64 = -(2**63)
MOST_INT64 = 2**63 - 1


class Named(NamedTuple):
    """What a value says of which trade it is; `trade_key` is None unless the ids of its source are opaque."""

    symbol: str
    trade_id: int
    trade_key: str | None = None


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of the values that could be read.

    Attributes:
        columns: `FIELD_SCHEMA`; row i was read from value `places[i]`.
        places: ascending.
        refused: every other place, with the reason.
    """

    columns: pl.DataFrame
    places: Sequence[int]
    refused: Mapping[int, Refusal]


FieldReader = Callable[[Sequence[bytes]], Fields]
