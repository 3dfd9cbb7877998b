"""The typed trade: the columns that both layers fold."""

from __future__ import annotations

import polars as pl

TRADE_SCHEMA = pl.Schema(
    {
        "venue": pl.String(),
        "symbol": pl.String(),
        "trade_id": pl.Int64(),
        "trade_key": pl.String(),
        "price": pl.Decimal(18, 8),
        "size": pl.Decimal(18, 8),
        "notional": pl.Decimal(38, 16),
        "side": pl.String(),
        "event_time": pl.Datetime("us", "UTC"),
        "arrival_time": pl.Datetime("us", "UTC"),
        "lane": pl.String(),
        "offset": pl.Int64(),
    }
)
"""Columns of a frame of trades.

`trade_id` is the venue's number; where the venue's ids are text, that text is `trade_key`, and `trade_id` the number
below 0 that stands for it (`twofold.decoding.trade_key`). `trade_key` is null for all others.
`notional` is price times size, exactly. `side` is the taker's, `buy` or `sell`. `arrival_time` is the collector's time
where the source declares one and the record has it, else the log's, and never before `event_time`. `lane` and `offset`
are the record's own.
"""
