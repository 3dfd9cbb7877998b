"""Adding a cycle's partials to a view's table: appended mostly, merged by the day now and then."""

from __future__ import annotations

import polars as pl

from twofold.fold import merge
from twofold.gaps import OpenHoles
from twofold.lake import TableWriter
from twofold.view import View

FILES_PER_DAY = 16
"""Data files of one day at which the day is rewritten as one, each group merged to one row."""


def with_revisions(view: View, partials: pl.DataFrame, watermarks_us: dict[str, int], holes: OpenHoles) -> pl.DataFrame:
    """Mark the partials of windows that were closed before this cycle: each counts as one revision.

    A window was closed if the watermark had passed it, and no hole held it open then. A hole that was found after the
    watermark had passed takes a window out of `closed` for a while, but what fills it revises what had been closed.

    Args:
        view: whose they are.
        partials: of this cycle alone, as the view's `partial_schema`.
        watermarks_us: of the publication before, per venue.
        holes: the open gaps of the publication before.
    """
    start = pl.col("window_start").dt.epoch("us")
    windows = partials.select("venue", "symbol", start=start, end=start + view.window_us)
    revisions = []
    for venue, symbol, start_us, end_us in windows.iter_rows():
        mark_us, due_us = watermarks_us.get(venue), end_us + view.lateness_us
        was_past = mark_us is not None and due_us <= mark_us
        revisions.append(int(was_past and not holes.hold((venue, symbol), start_us, end_us, due_us)))
    return partials.with_columns(revisions=pl.Series(revisions, dtype=pl.Int64))


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


def merge_day(view: View, writer: TableWriter, day: str) -> None:
    """Rewrite a day, such as `2024-08-09`, with one row per group, in one commit."""
    there = (
        writer.rows().filter(pl.col("day") == pl.lit(day).str.to_date()).select(view.partial_schema.names()).collect()
    )
    writer.replace(with_day(merge(view, there)), f"day IN ('{day}')")


def with_day(partials: pl.DataFrame) -> pl.DataFrame:
    """Add the UTC day that partials are parted by."""
    return partials.with_columns(day=pl.col("window_start").dt.date())
