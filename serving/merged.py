"""Merged rows: those of both sides, one per group, finished and labelled.

What the batch side has by itself is the same for all states of the speed worker on it. It is made once, and each state
then costs the windows that are live.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from serving.batch_side import BatchSide
from serving.finality import finality
from serving.names import names
from serving.query import Query
from serving.seam import Pair
from serving.speed_side import SpeedSide
from twofold.fold import UNOPTIMIZED, checked, coarsen, finished, merging
from twofold.watermark import watermarks_us


def merged_rows(query: Query, pair: Pair) -> pl.DataFrame:
    """The rows that a question is about, by group, with `window_end` and `finality`; all, whichever are asked for.

    Raises:
        ArithmeticOverflow: a sum left the range of its type.
    """
    batch, view = pair.batch, query.view
    asked = (view.name, query.interval_us, *about(query))
    settled = batch.settled.rows(asked, lambda: _settled(query, batch))
    provisional = None if pair.speed is None else _provisional(query, pair.speed)
    if provisional is None or provisional.is_empty():
        return settled
    windows_us = np.unique(_windows_us(query, provisional))
    published = _published(query, batch)
    again = _without(published, ~np.isin(_windows_us(query, published), windows_us))
    both = pl.concat([_marked(again, is_live=False), _marked(provisional, is_live=True)])
    live = _shown(query, batch, _one_per_group(query, both), is_held=pair.held > 0)
    kept = _without(settled, np.isin(_windows_us(query, settled), windows_us))
    rows = pl.concat([kept, live])
    return rows if _follows(live, kept, view.group) else rows.sort(view.group)


def count(query: Query, pair: Pair) -> int:
    """How many partials there are to look at, at most."""
    published = pair.batch.partials[query.view.name].count(*about(query))
    return published + (pair.speed.count(query.view.name) if pair.speed else 0)


def about(query: Query) -> tuple[str | None, str | None, int | None, int | None, int | None]:
    """Which partials of the batch side a question is about: venue, symbol, start, end, and how many of the newest."""
    return query.venue, query.symbol, query.start_us, query.end_us, _newest(query)


def _settled(query: Query, batch: BatchSide) -> pl.DataFrame:
    published = _marked(_published(query, batch), is_live=False)
    is_one_per_group = query.interval_us == query.view.window_us
    return _shown(query, batch, published if is_one_per_group else _one_per_group(query, published))


def _published(query: Query, batch: BatchSide) -> pl.DataFrame:
    """The batch side's partials that the question is about, by group."""
    return batch.partials[query.view.name].about(*about(query))


def _newest(query: Query) -> int | None:
    """How many of a market's newest rows hold all windows asked for, if that is known."""
    # With more keys a window has many rows; with a filter the rows that pass it may be older ones.
    if query.last is None or query.finality is not None or set(query.view.keys) != {"venue", "symbol"}:
        return None
    return query.last * (query.interval_us // query.view.window_us)


def _provisional(query: Query, speed: SpeedSide) -> pl.DataFrame:
    """The speed side's partials that the question is about."""
    partials = speed.partials(query.view.name)
    window_us = pl.col("window_start").to_physical()
    conditions = [
        *([names(query.venue).rows(partials, "venue")] if query.venue is not None else []),
        *([names(query.symbol).rows(partials, "symbol")] if query.symbol is not None else []),
        *([window_us >= query.start_us] if query.start_us is not None else []),
        *([window_us < query.end_us] if query.end_us is not None else []),
    ]
    return partials.filter(*conditions) if conditions else partials


def _marked(partials: pl.DataFrame, *, is_live: bool) -> pl.DataFrame:
    """Partials with the side that they are of, in `live`."""
    mark = pl.Series("live", [is_live], dtype=pl.Boolean)
    return partials.hstack([mark.new_from_index(0, partials.height)])


def _one_per_group(query: Query, partials: pl.DataFrame) -> pl.DataFrame:
    """Merge partials of either side, by group."""
    merged = merging(query.view, coarsen(partials.lazy(), query.interval_us), pl.col("live").any())
    found = checked(query.view, merged.collect(engine="in-memory", optimizations=UNOPTIMIZED))
    # Sorted afterwards: as a part of the query, a sort of few rows takes longer than the rest of it.
    return found[partials.columns].sort(query.view.group)


def _shown(query: Query, batch: BatchSide, merged: pl.DataFrame, *, is_held: bool = False) -> pl.DataFrame:
    """Merged partials as answers show them: finished, with `window_end` and `finality`."""
    starts = merged["window_start"]
    ends = pl.Series("window_end", starts.to_numpy() + np.timedelta64(query.interval_us, "us")).cast(starts.dtype)
    marks_us = watermarks_us(batch.publication.witnesses)
    labels = finality(query.view, merged, query.interval_us, marks_us, batch.holes, is_held=is_held)
    return finished(query.view, merged[query.view.partial_schema.names()].hstack([ends, labels]))


def _windows_us(query: Query, rows: pl.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The start of each row's window of the interval asked for, UTC microseconds."""
    starts_us = rows["window_start"].to_numpy().astype(np.int64)
    return starts_us if query.interval_us == query.view.window_us else starts_us - starts_us % query.interval_us


def _without(rows: pl.DataFrame, is_out: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> pl.DataFrame:
    """Rows without some of them. Where what is left lies together, as before live windows, nothing is copied."""
    places = np.flatnonzero(~is_out)
    if not len(places):
        return rows.clear()
    first, last = int(places[0]), int(places[-1])
    is_together = last - first + 1 == len(places)
    return rows.slice(first, len(places)) if is_together else rows[places]


def _follows(rows: pl.DataFrame, before: pl.DataFrame, group: list[str]) -> bool:
    """Whether rows, in their order, come after all of those before."""
    return before.is_empty() or [before[name][-1] for name in group] < [rows[name][0] for name in group]
