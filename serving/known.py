"""What was known: the trades that a question is about which asks for what had arrived by a time.

A trade's arrival is that of the copy of it that counts: the log's append time, or a collector's where its source
declares one, and never before the trade itself.
"""

from __future__ import annotations

import polars as pl

from serving.query import Query


def had_arrived(query: Query) -> pl.Expr:
    """The trades that had arrived by when a question wants them to, by `event_time` and `arrival_time`; else all."""
    arrived, arrival_us = pl.lit(value=True), pl.col("arrival_time").dt.epoch("us")
    if query.as_of_us is not None:
        arrived &= arrival_us <= query.as_of_us
    if query.known_after_us is not None:
        start_us = pl.col("event_time").dt.epoch("us") // query.interval_us * query.interval_us
        arrived &= arrival_us <= start_us + query.interval_us + query.known_after_us
    return arrived


def newest_arrival_us(query: Query) -> int | None:
    """After when no trade can have arrived that a question is about, UTC microseconds; None: there is no such time."""
    bounds_us = [query.as_of_us] if query.as_of_us is not None else []
    if query.known_after_us is not None and query.end_us is not None:
        bounds_us.append(query.end_us + query.known_after_us)
    return min(bounds_us, default=None)
