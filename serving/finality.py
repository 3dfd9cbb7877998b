"""The finality of rows: a function of the publication, of whether something provisional takes part, and is held."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from twofold.gaps import OpenHoles
from twofold.view import View

PROVISIONAL, CLOSED, REVISED, HELD = "provisional", "closed", "revised", "held"

_NAMES = pl.Series("finality", [PROVISIONAL, CLOSED, REVISED, HELD], dtype=pl.String)


def finality(
    view: View,
    merged: pl.DataFrame,
    interval_us: int,
    marks_us: Mapping[str, int],
    holes: OpenHoles,
    *,
    is_held: bool = False,
) -> pl.Series:
    """Say of each row how final it is. By NumPy: for few rows a Polars expression takes longer than that.

    Args:
        view: whose rows they are.
        merged: rows with `live`: whether something provisional takes part.
        interval_us: length of the windows, microseconds.
        marks_us: the published watermark of each venue, UTC microseconds.
        holes: ids that may still come.
        is_held: whether what is provisional has records that failed their checks.
    """
    starts_us = merged["window_start"].to_numpy().astype(np.int64)
    due_us = starts_us + (interval_us + view.lateness_us)
    is_over = np.zeros(merged.height, dtype=bool)
    for venue, mark_us in marks_us.items():
        is_over |= (merged["venue"] == venue).to_numpy() & (due_us <= mark_us)
    is_over &= ~merged["live"].to_numpy()
    if len(holes):
        venues, symbols = merged["venue"].to_list(), merged["symbol"].to_list()
        for place in np.flatnonzero(is_over).tolist():
            start_us = int(starts_us[place])
            is_over[place] = not holes.may_fall_into((venues[place], symbols[place]), start_us, start_us + interval_us)
    kinds = np.where(is_over, np.where(merged["revisions"].to_numpy() > 0, 2, 1), 0)
    return _NAMES[np.where(merged["live"].to_numpy(), 3, kinds) if is_held else kinds]
