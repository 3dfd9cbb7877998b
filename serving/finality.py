"""The finality of rows: a function of the publication and of whether something provisional takes part."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from twofold.gaps import OpenHoles
from twofold.view import View

PROVISIONAL, CLOSED, REVISED = "provisional", "closed", "revised"


def finality(
    view: View, merged: pl.DataFrame, interval_us: int, marks_us: Mapping[str, int], holes: OpenHoles
) -> pl.Series:
    """Say of each row how final it is.

    Args:
        view: whose rows they are.
        merged: rows with `live`: whether something provisional takes part.
        interval_us: length of the windows, microseconds.
        marks_us: the published watermark of each venue, UTC microseconds.
        holes: ids that may still come.
    """
    due_us = merged["window_start"].to_physical() + (interval_us + view.lateness_us)
    is_open = merged["live"]
    for venue in merged["venue"].unique():
        is_open |= (due_us > marks_us.get(venue, 0)) & (merged["venue"] == venue)
    is_open |= _may_lack(merged, interval_us, holes)
    settled = (merged["revisions"] > 0).replace_strict({True: REVISED, False: CLOSED}, return_dtype=pl.String)
    provisional = pl.Series([PROVISIONAL], dtype=pl.String)
    return provisional.new_from_index(0, merged.height).zip_with(is_open, settled).alias("finality")


def _may_lack(merged: pl.DataFrame, interval_us: int, holes: OpenHoles) -> pl.Series:
    """The rows that a missing trade may be one of."""
    lacking = pl.Series([False], dtype=pl.Boolean).new_from_index(0, merged.height)
    if not len(holes):
        return lacking
    columns = (merged["venue"], merged["symbol"], merged["window_start"].to_physical())
    rows = zip(*(column.to_list() for column in columns), strict=True)
    held = [
        place
        for place, (venue, symbol, start_us) in enumerate(rows)
        if holes.may_fall_into((venue, symbol), start_us, start_us + interval_us)
    ]
    return lacking.scatter(held, [True] * len(held)) if held else lacking
