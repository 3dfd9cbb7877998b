"""The fold: trades to partials, partials to fewer partials. Both layers and the merge go through these functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import polars as pl

from twofold.aggregates import EVENT_ORDER, Sum
from twofold.errors import ArithmeticOverflow
from twofold.finish import finish
from twofold.view import View


def fold(views: Iterable[View], trades: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Fold trades, in any order, to partials: for each view one per group, as its `partial_schema`.

    Views of the same keys and grain share one pass over the trades. A sum over one call cannot overflow: a notional is
    below 10^12, and a frame has fewer than 10^10 rows.
    """
    ordered = trades.sort(EVENT_ORDER)
    alike: dict[tuple[tuple[str, ...], int], list[View]] = defaultdict(list)
    for view in views:
        alike[view.keys, view.window_us].append(view)
    partials: dict[str, pl.DataFrame] = {}
    for (keys, window_us), group in alike.items():
        window = pl.col("event_time").dt.truncate(f"{window_us}us").alias("window_start")
        folded = ordered.group_by(*keys, window).agg(_prepared(view) for view in group)
        for view in group:
            states = folded.select(*view.group, view.name).unnest(view.name)
            partials[view.name] = states.select(view.partial_schema.names()).cast(pl.Schema(view.partial_schema))
    return partials


def _prepared(view: View) -> pl.Expr:
    """All of a view's states as one struct, named after the view."""
    states = [state for name, aggregate in view.aggregates.items() for state in aggregate.prepare(name)]
    return pl.struct(*states, pl.lit(0, pl.Int64).alias("revisions")).alias(view.name)


def merge(view: View, partials: pl.DataFrame) -> pl.DataFrame:
    """Merge partials to one per group.

    Raises:
        ArithmeticOverflow: a sum left the range of its type.
    """
    _guard_sums(view, partials)
    expressions = [e for name, aggregate in view.aggregates.items() for e in aggregate.merge(name)]
    merged = partials.group_by(view.group).agg(*expressions, pl.col("revisions").sum())
    return merged.select(view.partial_schema.names())


def coarsen(view: View, partials: pl.DataFrame, interval_us: int) -> pl.DataFrame:
    """Merge partials into windows of `interval_us` microseconds, a multiple of the view's grain."""
    start = pl.col("window_start").dt.truncate(f"{interval_us}us")
    return merge(view, partials.with_columns(start))


def finished(view: View, partials: pl.DataFrame) -> pl.DataFrame:
    """Add the finished columns to merged partials."""
    return partials.with_columns(finish(formula, partials).alias(name) for name, formula in view.finished.items())


def empty_partials(view: View) -> pl.DataFrame:
    """No partials of a view, with the right columns."""
    return pl.DataFrame(schema=view.partial_schema)


def _guard_sums(view: View, partials: pl.DataFrame) -> None:
    """Sums of decimals wrap round in silence; a bound in floats, kept well below the limit, tells before they do."""
    sums = {name: a.value_type().scale for name, a in view.aggregates.items() if isinstance(a, Sum)}  # type: ignore[attr-defined]  # a Sum is a decimal
    if not sums or partials.is_empty():
        return
    bounds = partials.select(pl.col(name).cast(pl.Float64).abs().sum() for name in sums).row(0, named=True)
    if all(bounds[name] < 10.0 ** (37 - scale) for name, scale in sums.items()):
        return
    by_group = partials.group_by(view.group).agg(pl.col(name).cast(pl.Float64).abs().sum() for name in sums)
    for name, scale in sums.items():
        worst = by_group.sort(name, descending=True).row(0, named=True)
        if worst[name] >= 10.0 ** (37 - scale):
            where = ", ".join(str(worst[part]) for part in view.group)
            raise ArithmeticOverflow(
                f"The sum {name!r} of view {view.name!r} leaves the range of its decimal type at {where}. "
                "Nothing was written. Look for a wrong price or size among the trades of that window."
            )
