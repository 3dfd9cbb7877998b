"""Adding a cycle's partials to a view's table by Spark: appended mostly, merged by the day now and then."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812  # as everyone calls it

from batch_layer import partials as by_polars
from batch_layer.spark.folding import merge
from batch_layer.spark.table import SparkTableWriter
from twofold.view import View


def add_partials(view: View, writer: SparkTableWriter, partials: DataFrame) -> None:
    """Add partials in one commit, if there are any. Its cost follows the days that are touched."""
    added = _with_day(partials)
    days = sorted(row["day"] for row in added.select("day").distinct().collect())
    crowded = [day for day in days if writer.file_count(f"day={day}") >= by_polars.FILES_PER_DAY]
    if not days:
        return
    if not crowded:
        writer.append_rows(added)
        return
    there = writer.seen_by(partials.sparkSession).where(F.col("day").isin(days)).select(*partials.columns)
    touched = ", ".join(f"'{day}'" for day in days)
    writer.replace_rows(_with_day(merge(view, there.unionByName(partials))), f"day IN ({touched})")


def _with_day(partials: DataFrame) -> DataFrame:
    """Add the UTC day that partials are parted by, and bring those of a day together: a file per day and commit."""
    return partials.withColumn("day", F.to_date("window_start")).repartition("day")
