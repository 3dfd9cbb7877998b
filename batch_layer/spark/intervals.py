"""Ids as intervals by Spark, so that what comes to the driver is a few rows per market."""

from __future__ import annotations

import polars as pl
from pyspark.sql import DataFrame, GroupedData, Window
from pyspark.sql import functions as F  # noqa: N812  # as everyone calls it

from batch_layer.spark.columns import collected
from twofold.ledger import INTERVAL_SCHEMA, LEDGER_SCHEMA, MARKET, coalesce

_BUCKET_BITS = 20
"""Ids of one bucket, 2^20 at most, are put in order together: a market with many is the work of several tasks."""


def ledger_rows(trades: DataFrame) -> pl.DataFrame:
    """The ids of trades, no two of one id, as the ledger keeps them (`LEDGER_SCHEMA`), by market and first id."""
    runs = _runs(trades).agg(
        F.min("trade_id").alias("first_id"),
        F.max("trade_id").alias("last_id"),
        F.min_by("event_time", "trade_id").alias("first_event"),
        F.max_by("event_time", "trade_id").alias("last_event"),
        F.min_by("arrival_time", "trade_id").alias("first_arrival"),
        F.min_by("lane", "trade_id").alias("first_lane"),
    )
    return coalesce(collected(runs, LEDGER_SCHEMA))


def letter_ids(letters: DataFrame) -> pl.DataFrame:
    """The ids that dead letters bear, as intervals (`INTERVAL_SCHEMA`)."""
    ids = letters.where("trade_id is not null").select(*MARKET, "trade_id").distinct()
    runs = _runs(ids).agg(F.min("trade_id").alias("first_id"), F.max("trade_id").alias("last_id"))
    return coalesce(collected(runs, INTERVAL_SCHEMA))


def _runs(rows: DataFrame) -> GroupedData:
    """Rows grouped by market and run of ids that follow each other, parted at the edges of buckets."""
    bucket = F.shiftright("trade_id", _BUCKET_BITS)
    place = F.row_number().over(Window.partitionBy(*MARKET, "bucket").orderBy("trade_id"))
    within = F.col("trade_id").bitwiseAND(F.lit((1 << _BUCKET_BITS) - 1))
    run = F.when(F.col("trade_id") < 0, F.col("trade_id")).otherwise(within - place)  # keys never follow each other
    numbered = rows.withColumn("bucket", bucket).withColumn("run", run)
    return numbered.groupBy(*MARKET, "bucket", "run")
