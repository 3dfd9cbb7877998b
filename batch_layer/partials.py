"""Adding a cycle's partials to a view's table: appended mostly, merged by the day now and then."""

from __future__ import annotations

import polars as pl

from twofold.fold import merge
from twofold.lake import TableWriter
from twofold.view import View

FILES_PER_DAY = 16
"""Data files of one day at which the day is rewritten as one, each group merged to one row."""


def with_revisions(view: View, partials: pl.DataFrame, watermarks_us: dict[str, int]) -> pl.DataFrame:
    """Mark the partials of windows that were closed before this cycle: each counts as one revision."""
    marks = pl.DataFrame(
        {"venue": list(watermarks_us), "mark": list(watermarks_us.values())},
        schema={"venue": pl.String, "mark": pl.Int64},
    )
    end = pl.col("window_start").dt.epoch("us") + view.window_us + view.lateness_us
    late = (end <= pl.col("mark")).fill_null(value=False).cast(pl.Int64)
    marked = partials.join(marks, on="venue", how="left", maintain_order="left")
    return marked.with_columns(revisions=late).select(partials.columns)


def add_partials(view: View, writer: TableWriter, partials: pl.DataFrame) -> None:
    """Add partials in one commit. Its cost follows the days that are touched, never the table's size."""
    added = with_day(partials)
    crowded = [day for day in added["day"].unique().sort() if writer.file_count(f"day={day}") >= FILES_PER_DAY]
    if not crowded:
        writer.append(added)
        return
    touched = added["day"].unique().sort().to_list()
    there = writer.rows().filter(pl.col("day").is_in(touched)).select(partials.columns).collect()
    merged = with_day(merge(view, pl.concat([there, partials])))
    days = ", ".join(f"'{day}'" for day in touched)
    writer.replace(merged, f"day IN ({days})")


def with_day(partials: pl.DataFrame) -> pl.DataFrame:
    """Add the UTC day that partials are parted by."""
    return partials.with_columns(day=pl.col("window_start").dt.date())
