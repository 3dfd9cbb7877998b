"""The gap log: since which publication each open gap was there, and which was the first without it.

The table of gaps says what is missing now, and is rewritten. This one only grows, so that what kept a window open at
any publication can still be told when the older versions of the tables have been vacuumed.
"""

from __future__ import annotations

import polars as pl

from twofold.gaps import GAP_SCHEMA, OPEN
from twofold.ledger import INTERVAL_SCHEMA, MARKET

_TIME = pl.Datetime("us", "UTC")
_TIMES = ("first_event", "last_event", "watermark", "held_first", "held_last")

GAP_LOG_SCHEMA = pl.Schema(
    {"sequence": pl.Int64(), "opened": pl.Boolean(), **INTERVAL_SCHEMA, **dict.fromkeys(_TIMES, _TIME)}
)
"""Columns of the gap log. A row says that publication `sequence` was the first with an open gap, or, where `opened` is
false, the first without it. The rest describes the gap as `GAP_SCHEMA` does; one that changes ends and opens anew."""

_GAP = [name for name in GAP_LOG_SCHEMA if name not in {"sequence", "opened"}]


def gap_changes(before: pl.DataFrame, after: pl.DataFrame, sequence: int) -> pl.DataFrame:
    """What a publication adds to the log (`GAP_LOG_SCHEMA`).

    Args:
        before: the gaps of the publication before (`GAP_SCHEMA`).
        after: its own.
        sequence: its number.
    """
    was, now = (gaps.filter(pl.col("state") == OPEN).select(_GAP) for gaps in (before, after))
    changes = [
        rows.join(others, on=_GAP, how="anti", nulls_equal=True).with_columns(opened=opened, sequence=sequence)
        for rows, others, opened in ((was, now, pl.lit(value=False)), (now, was, pl.lit(value=True)))
    ]
    return pl.concat(changes).select(pl.col(name).cast(dtype) for name, dtype in GAP_LOG_SCHEMA.items())


def gap_lives(log: pl.DataFrame) -> pl.DataFrame:
    """The open gaps that there ever were, each with `opened_at`, and `ended_at`, which is null while it lasts.

    It was there from publication `opened_at` on, inclusive, and until `ended_at`, exclusive.
    """
    ordered = log.sort([*MARKET, "first_id", "sequence", "opened"])  # at one publication, what ends goes first
    following = pl.col("sequence").shift(-1).over([*MARKET, "first_id"])
    return ordered.with_columns(ended_at=following).filter("opened").rename({"sequence": "opened_at"}).drop("opened")


def gaps_at(lives: pl.DataFrame, sequence: int) -> pl.DataFrame:
    """The open gaps of one publication (`GAP_SCHEMA`; `since` and `lane`, which the log does not keep, are null)."""
    lasted = pl.col("ended_at").is_null() | (pl.col("ended_at") > sequence)
    rows = lives.filter((pl.col("opened_at") <= sequence) & lasted).with_columns(state=pl.lit(OPEN))
    lacking = [pl.lit(None).alias(name) for name in GAP_SCHEMA if name not in rows.columns]
    return rows.with_columns(lacking).select(pl.col(name).cast(dtype) for name, dtype in GAP_SCHEMA.items())
