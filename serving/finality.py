"""The finality of rows: a function of the publication and of whether something provisional takes part."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from twofold.gaps import OpenHoles
from twofold.view import View

PROVISIONAL, CLOSED, REVISED = "provisional", "closed", "revised"

_NAMES = np.array([PROVISIONAL, CLOSED, REVISED], dtype=object)


def finality(
    view: View, merged: pl.DataFrame, interval_us: int, marks_us: Mapping[str, int], holes: OpenHoles
) -> pl.Series:
    """Say of each row how final it is. By NumPy: for few rows a Polars expression takes longer than that.

    Args:
        view: whose rows they are.
        merged: rows with `live`: whether something provisional takes part.
        interval_us: length of the windows, microseconds.
        marks_us: the published watermark of each venue, UTC microseconds.
        holes: ids that may still come.
    """
    venues, starts_us = merged["venue"].to_list(), merged["window_start"].to_physical().to_numpy()
    marks = np.fromiter((marks_us.get(venue, 0) for venue in venues), dtype=np.int64, count=len(venues))
    is_over = ~merged["live"].to_numpy() & (starts_us + (interval_us + view.lateness_us) <= marks)
    if len(holes):
        symbols = merged["symbol"].to_list()
        for place in np.flatnonzero(is_over).tolist():
            start_us = int(starts_us[place])
            is_over[place] = not holes.may_fall_into((venues[place], symbols[place]), start_us, start_us + interval_us)
    named = _NAMES[np.where(is_over, np.where(merged["revisions"].to_numpy() > 0, 2, 1), 0)]
    return pl.Series("finality", named.tolist(), dtype=pl.String)
