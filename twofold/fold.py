"""The fold: trades to partials, partials to fewer partials. Both layers and the merge go through these functions.

They use Polars' in-memory engine. The streaming one spreads a query over threads of its own, which for a micro-batch or
an answer takes twice as long as the query; it also takes a third longer for large frames on one thread.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import reduce
from operator import xor

import polars as pl

from twofold.aggregates import EVENT_ORDER, Sum
from twofold.errors import ArithmeticOverflow
from twofold.finish import finish
from twofold.view import View

UNOPTIMIZED = pl.QueryOptFlags.none()
"""How a query over few rows is collected: to look for a better plan takes longer than to carry it out."""

SLICE_ROWS = 250_000
"""Partials that are merged at once, about, at most: more take four times their own size meanwhile, and longer each."""

_BOUND = "__bound_"


def fold(views: Iterable[View], trades: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Fold trades, in any order, to partials: for each view one per group, as its `partial_schema`.

    Views of the same keys and grain share one pass over the trades. A sum over one call cannot overflow: a notional is
    below 10^12, and a frame has fewer than 10^10 rows.
    """
    ordered = trades.lazy().sort(EVENT_ORDER)
    alike: dict[tuple[tuple[str, ...], int], list[View]] = defaultdict(list)
    for view in views:
        alike[view.keys, view.window_us].append(view)
    partials: dict[str, pl.DataFrame] = {}
    for (keys, window_us), group in alike.items():
        window = pl.col("event_time").dt.truncate(f"{window_us}us").alias("window_start")
        states = [state for view in group for state in view.prepared_states]
        folded = ordered.group_by(*keys, window).agg(states).collect(engine="in-memory")
        for view in group:
            partials[view.name] = _of_view(view, folded)
    return partials


def _of_view(view: View, folded: pl.DataFrame) -> pl.DataFrame:
    """One view's part of what was folded, put together by columns: a query would cost more than the fold."""
    none = pl.Series("revisions", [0], dtype=pl.Int64).new_from_index(0, folded.height)
    columns = {name: folded[name] for name in view.group} | {"revisions": none}
    columns |= {name: folded[view.prepared_name(name)].alias(name) for name in view.state_schema}
    return pl.DataFrame([columns[name] for name in view.partial_schema])


def merge(view: View, partials: pl.DataFrame) -> pl.DataFrame:
    """Merge partials to one per group.

    Beside partials and result it needs memory for a slice of `SLICE_ROWS`, however many there are.

    Raises:
        ArithmeticOverflow: a sum left the range of its type.
    """
    count = -(-partials.height // SLICE_ROWS)
    if count <= 1:
        return _merged(view, partials)
    number = reduce(xor, (pl.col(name).hash() for name in view.group)) % count
    numbers = partials.select(number.alias("number")).to_series()
    slices = (partials.filter(numbers == each) for each in range(count))
    return pl.concat([_merged_where_needed(view, part) for part in slices])


def _merged_where_needed(view: View, partials: pl.DataFrame) -> pl.DataFrame:
    """Merge, passing over groups that stand there once, which takes a tenth of merging them."""
    repeated = partials.select(view.group).is_duplicated()
    once = partials.filter(~repeated).select(view.partial_schema.names())
    return once if once.height == partials.height else pl.concat([once, _merged(view, partials.filter(repeated))])


def _merged(view: View, partials: pl.DataFrame) -> pl.DataFrame:
    merged = checked(view, merging(view, partials.lazy()).collect(engine="in-memory"))
    return merged.select(view.partial_schema.names())


def merging(view: View, partials: pl.LazyFrame, *also: pl.Expr) -> pl.LazyFrame:
    """A query that merges partials to one per group, with more columns as `also` says; to be `checked`."""
    states = view.merged_states
    bounds = [pl.col(name).cast(pl.Float64).abs().sum().alias(_BOUND + name) for name in _sums(view)]
    return partials.group_by(view.group).agg(*states, pl.col("revisions").sum(), *bounds, *also)


def checked(view: View, merged: pl.DataFrame) -> pl.DataFrame:
    """What a `merging` gave, once it is sure that no sum wrapped: sums of decimals do so in silence.

    Raises:
        ArithmeticOverflow: a sum left the range of its type.
    """
    for name, scale in _sums(view).items():
        bounds = merged[_BOUND + name]
        place = bounds.arg_max()
        # A sum of floats is near enough: the limit is a tenth of what fits.
        if place is not None and bounds[place] >= 10.0 ** (37 - scale):
            where = ", ".join(str(merged[part][place]) for part in view.group)
            raise ArithmeticOverflow(
                f"The sum {name!r} of view {view.name!r} leaves the range of its decimal type at {where}. "
                "Nothing was written. Look for a wrong price or size among the trades of that window."
            )
    return merged


def coarsen(partials: pl.LazyFrame, interval_us: int) -> pl.LazyFrame:
    """Partials with the starts of windows of `interval_us` microseconds, a multiple of the grain; to be merged."""
    return partials.with_columns(pl.col("window_start").dt.truncate(f"{interval_us}us"))


def finished(view: View, partials: pl.DataFrame) -> pl.DataFrame:
    """Add the finished columns to merged partials."""
    return partials.hstack([finish(formula, partials).alias(name) for name, formula in view.finished.items()])


def empty_partials(view: View) -> pl.DataFrame:
    """No partials of a view, with the right columns."""
    return pl.DataFrame(schema=view.partial_schema)


def _sums(view: View) -> dict[str, int]:
    """The view's sums and their scales."""
    types = {name: a.value_type() for name, a in view.aggregates.items() if isinstance(a, Sum)}
    return {name: dtype.scale for name, dtype in types.items() if isinstance(dtype, pl.Decimal)}
