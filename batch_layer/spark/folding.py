"""The fold by Spark: trades to partials, partials to fewer partials, by Spark's own aggregates over columns.

What each aggregate means stands in `twofold.aggregates`; here it is said in Spark's words. Sums are of decimals and
exact: a decimal of 38 digits that overflows is an error, and the same tenth of the range is kept clear as by Polars.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from operator import and_

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812  # as everyone calls it

from batch_layer.partials import with_revisions
from batch_layer.spark.columns import ddl, spark_type, to_arrow, to_polars
from twofold.aggregates import EVENT_ORDER, TRADE_MEASURES, Aggregate, Count, First, Last, Max, Min, Sum
from twofold.errors import DeclarationError
from twofold.gaps import OpenHoles
from twofold.view import View


def fold(view: View, trades: DataFrame) -> DataFrame:
    """Fold trades to partials, one per group, as the view's `partial_schema`, in any order."""
    time_us = F.unix_micros("event_time")
    start = F.timestamp_micros(time_us - F.pmod(time_us, F.lit(view.window_us)))
    states = [state for name, aggregate in view.aggregates.items() for state in _prepared(name, aggregate)]
    folded = trades.groupBy(*view.keys, start.alias("window_start")).agg(*states)
    return _arranged(view, folded.withColumn("revisions", F.lit(0)))


def merge(view: View, partials: DataFrame) -> DataFrame:
    """Merge partials to one per group.

    A sum that leaves the range of its type makes what reads the result fail, which `in_our_words` says.
    """
    states = [state for name, aggregate in view.aggregates.items() for state in _merged(view, name, aggregate)]
    return _arranged(view, partials.groupBy(*view.group).agg(*states, F.sum("revisions").alias("revisions")))


def revised(view: View, partials: DataFrame, watermarks_us: Mapping[str, int], holes: OpenHoles) -> DataFrame:
    """Mark the partials of windows that were closed before, by the one rule that there is."""
    marks = dict(watermarks_us)

    def mark(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            marked = with_revisions(view, to_polars(batch, view.partial_schema), marks, holes)
            yield from to_arrow(marked).to_batches()

    return partials.mapInArrow(mark, ddl(view.partial_schema))


def _arranged(view: View, partials: DataFrame) -> DataFrame:
    """The columns of a view's partials, with their types."""
    return partials.select(
        *(F.col(name).cast(spark_type(dtype)).alias(name) for name, dtype in view.partial_schema.items())
    )


def _prepared(name: str, aggregate: Aggregate) -> list[Column]:
    """The states of an aggregate over the trades of one group."""
    chosen = reduce(and_, (F.col(label) == wanted for label, wanted in aggregate.where.items()), F.expr("true"))
    if isinstance(aggregate, Count):
        return [F.count(F.when(chosen, 1)).alias(name)]
    value = F.when(chosen, F.col(aggregate.column))
    if isinstance(aggregate, Sum):
        return [F.coalesce(F.sum(value), F.lit(0)).alias(name)]
    if isinstance(aggregate, First | Last):
        at, number = EVENT_ORDER
        placed = F.when(chosen, F.struct(F.col(at).alias("at"), F.col(number).alias("id"), value.alias("value")))
        return _edge(name, aggregate, placed)
    return [_extreme(name, aggregate, value)]


def _merged(view: View, name: str, aggregate: Aggregate) -> list[Column]:
    """The states of an aggregate over the partials of one group."""
    if isinstance(aggregate, Count):
        return [F.sum(name).alias(name)]
    if isinstance(aggregate, Sum):
        return [_guarded(name, aggregate, view).alias(name)]
    if isinstance(aggregate, First | Last):
        at = F.col(f"{name}__at")
        state = F.struct(at.alias("at"), F.col(f"{name}__id").alias("id"), F.col(name).alias("value"))
        return _edge(name, aggregate, F.when(at.isNotNull(), state))
    return [_extreme(name, aggregate, F.col(name))]


def _edge(name: str, aggregate: First | Last, placed: Column) -> list[Column]:
    """The value at one end of the event order, and where it stands; structures compare by their fields in turn."""
    edge = F.min(placed) if isinstance(aggregate, First) else F.max(placed)
    states = zip(aggregate.state(name), ("value", "at", "id"), strict=True)
    return [edge[part].alias(state) for state, part in states]


def _extreme(name: str, aggregate: Aggregate, value: Column) -> Column:
    if isinstance(aggregate, Min):
        return F.min(value).alias(name)
    if isinstance(aggregate, Max):
        return F.max(value).alias(name)
    raise DeclarationError(f"The Spark engine knows no aggregate {aggregate.kind!r}, which {name!r} is declared as.")


def _guarded(name: str, aggregate: Sum, view: View) -> Column:
    """A sum of decimals, or an error from a tenth of the range of its type on, as `twofold.fold.checked` has it."""
    scale = TRADE_MEASURES[aggregate.column].scale
    bound = F.sum(F.abs(F.col(name).cast("double")))
    said = F.lit(f"[ARITHMETIC_OVERFLOW] The sum {name!r} of view {view.name!r} leaves the range of its type at ")
    message = F.concat(said, F.concat_ws(", ", *(F.col(part).cast("string") for part in view.group)), F.lit("."))
    return F.when(bound >= F.lit(10.0 ** (37 - scale)), F.raise_error(message)).otherwise(F.sum(name))
