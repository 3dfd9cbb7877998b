"""Telling trades apart by Spark: which counts of the copies of a cycle, and which copies are conflicts."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812  # as everyone calls it

from batch_layer.conflicts import (
    COMPARED_SCHEMA,
    CONFLICT_SCHEMA,
    ID,
    KEPT,
    conflict_letters,
    differing,
    files_around,
    trade_files,
)
from batch_layer.spark.columns import ddl, to_arrow, to_polars
from twofold.decoding import DEAD_LETTER_SCHEMA, TRADE_SCHEMA
from twofold.lake import Lake
from twofold.ledger import WINNER
from twofold.records import RECORD_SCHEMA, batches_of
from twofold.tables import TRADES


def told_apart(decoded: DataFrame) -> DataFrame:
    """The trades of decoded records (`TRADE_SCHEMA`), and whether each `counts`: the least copy, if not seen."""
    trades = decoded.where("trade is not null AND NOT excluded").select("trade.*", "seen")
    place = F.row_number().over(Window.partitionBy(*ID).orderBy("seen", *WINNER))
    return trades.withColumn("counts", ~F.col("seen") & (place == 1)).drop("seen")


def find_conflicts(
    repeated: DataFrame, fresh: DataFrame, lake: Lake, trades_version: int | None, is_known: pl.Expr
) -> DataFrame:
    """The repeats that are no true ones (`CONFLICT_SCHEMA`), in any order.

    Args:
        repeated: the trades that do not count (`TRADE_SCHEMA`).
        fresh: those that do (`TRADE_SCHEMA`).
        lake: where `trades` is.
        trades_version: the version of `trades` that the parent names; None where nothing was published.
        is_known: of the rows of `trades`, those whose ids its ledger remembers.
    """

    def known_ones(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield from to_arrow(to_polars(batch, TRADE_SCHEMA).filter(is_known)).to_batches()

    ids = repeated.select(*ID).distinct()
    now = fresh.join(ids, ID, "left_semi")
    earlier = repeated.join(now, ID, "left_anti")
    files = _files_around(earlier, lake, trades_version)
    if files:
        taken = repeated.sparkSession.read.schema(ddl(TRADE_SCHEMA)).parquet(*files)
        before = taken.join(earlier.select(*ID).distinct(), ID, "left_semi").select(*TRADE_SCHEMA)
        now = now.unionByName(before.mapInArrow(known_ones, ddl(TRADE_SCHEMA)))
    kept = now.select(*ID, *(F.col(name).alias(f"kept_{name}") for name in KEPT))
    compared = repeated.join(kept, ID, "left").select(*COMPARED_SCHEMA)
    return compared.mapInArrow(_differing, ddl(CONFLICT_SCHEMA))


def letters_of(conflicts: DataFrame, raw: DataFrame, default_source: str) -> DataFrame:
    """The records of conflicts (`CONFLICT_SCHEMA`), out of `raw`, as dead letters (`DEAD_LETTER_SCHEMA`)."""

    def write_letters(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            records = batches_of(to_polars(batch, RECORD_SCHEMA))
            letters = conflict_letters(to_polars(batch, CONFLICT_SCHEMA), records, default_source)
            yield from to_arrow(letters).to_batches()

    return raw.join(conflicts, ["lane", "offset"]).mapInArrow(write_letters, ddl(DEAD_LETTER_SCHEMA))


def _differing(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield from to_arrow(differing(to_polars(batch, COMPARED_SCHEMA))).to_batches()


def _files_around(trades: DataFrame, lake: Lake, version: int | None) -> list[str]:
    """The data files of `trades`, at a version, that may hold trades of the event times of these."""
    if version is None:
        return []
    known = trade_files(lake, version)

    def look_up(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        found: set[str] = set()
        for batch in batches:
            times = to_polars(batch, pl.Schema({"event_time": TRADE_SCHEMA["event_time"]}))["event_time"]
            found.update(files_around(known, times))
        yield pa.RecordBatch.from_pydict({"path": sorted(found)}, schema=pa.schema([("path", pa.string())]))

    paths = trades.select("event_time").distinct().mapInArrow(look_up, "path string").distinct()
    return [f"{lake.address(TRADES.name)}/{row['path']}" for row in paths.collect()]
