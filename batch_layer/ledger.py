"""Adding a cycle's ids to the ledger's table: appended mostly; now and then joined, or forgotten."""

from __future__ import annotations

import polars as pl

from twofold.lake import TableWriter
from twofold.ledger import LEDGER_SCHEMA, MARKET, coalesce

LEDGER_FILES = 16
"""Data files of the ledger at which it is rewritten as one, its intervals joined."""


def with_times(added: pl.DataFrame, trades: pl.DataFrame) -> pl.DataFrame:
    """Intervals of ids (`INTERVAL_SCHEMA`) as the ledger keeps them (`LEDGER_SCHEMA`).

    Args:
        added: the intervals.
        trades: the trades with the first and the last id of each, among others (`TRADE_SCHEMA`).
    """
    first = trades.select(
        *MARKET,
        first_id="trade_id",
        first_event="event_time",
        first_arrival="arrival_time",
        first_lane="lane",
    )
    last = trades.select(*MARKET, last_id="trade_id", last_event="event_time")
    timed = added.join(first, on=[*MARKET, "first_id"]).join(last, on=[*MARKET, "last_id"])
    return timed.select(LEDGER_SCHEMA.names())


def add_intervals(writer: TableWriter, rows: pl.DataFrame, added: pl.DataFrame, is_known: pl.Expr) -> None:
    """Add intervals to those that the writer's table has, in one commit if there are any.

    Args:
        writer: of the ledger's table.
        rows: the rows that it has (`LEDGER_SCHEMA`).
        added: more of them (`LEDGER_SCHEMA`).
        is_known: which rows are remembered. Of the others the newest of each market stays, so that the table has all
            markets that there ever were.
    """
    if added.is_empty():
        return
    if writer.file_count() < LEDGER_FILES:
        writer.append(added)
    else:
        is_newest = pl.col("first_arrival") == pl.col("first_arrival").max().over(MARKET)
        writer.replace(coalesce(pl.concat([rows, added]).filter(is_known | is_newest)))
