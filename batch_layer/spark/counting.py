"""What the driver learns of a cycle's rows by Spark: counts per lane, and the newest trades per venue."""

from __future__ import annotations

import polars as pl
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812  # as everyone calls it

from batch_layer.spark.columns import collected
from twofold.decoding import TRADE_SCHEMA
from twofold.watermark import WITNESSES

_PLACED = pl.Schema({name: TRADE_SCHEMA[name] for name in ("venue", "event_time", "arrival_time", "lane", "offset")})


def by_lane(rows: DataFrame) -> dict[str, int]:
    """How many rows there are, per lane."""
    return {row["lane"]: row["count"] for row in rows.groupBy("lane").count().collect()}


def newest_trades(trades: DataFrame) -> pl.DataFrame:
    """Of each venue the trades that watermark and greatest arrival are told from; other trades change neither."""
    witnesses = _top(trades, F.least("event_time", "arrival_time"), WITNESSES)
    found = collected(witnesses.unionByName(_top(trades, F.col("arrival_time"), 1)), _PLACED)
    return found.unique(["lane", "offset"])


def _top(trades: DataFrame, by: Column, count: int) -> DataFrame:
    place = F.row_number().over(Window.partitionBy("venue").orderBy(by.desc()))
    return trades.withColumn("place", place).where(F.col("place") <= count).select(*_PLACED)
