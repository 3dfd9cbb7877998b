"""An answer: the two sides merged, finished and labelled, and the receipt that says what it was made of."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from time import monotonic
from typing import Any

import polars as pl

from serving.query import Query, rfc3339
from serving.seam import Pair
from twofold.errors import UnknownName
from twofold.fold import coarsen, finished
from twofold.watermark import watermarks_us

PROVISIONAL, CLOSED, REVISED = "provisional", "closed", "revised"


@dataclass(frozen=True)
class Answer:
    """Rows by (venue, symbol, window start), with their finality."""

    query: Query
    pair: Pair
    rows: pl.DataFrame

    def receipt(self) -> dict[str, Any]:
        """What the answer was made of."""
        publication = self.pair.batch.publication
        return {
            "view_hash": self.query.view.hash,
            "sequence": publication.sequence,
            "cut": dict(sorted(publication.cut.items())),
            "positions": dict(sorted(self.pair.positions.items())),
            "query": self.query.canonical(),
        }

    def freshness(self) -> dict[str, Any]:
        """How fresh the answer is. Without a speed state, lag and age are not known and are null."""
        speed = self.pair.speed
        return {
            "newest_event": _newest_event(self.pair),
            "lag_records": speed.lag_records if speed else None,
            "age_ms": round((monotonic() - speed.heard_at_s) * 1000) if speed else None,
            "speed": self.pair.mode,
        }

    def json_rows(self) -> list[dict[str, Any]]:
        """Rows as JSON data: decimals as text, times as RFC 3339 in UTC."""
        return [{name: _json(value) for name, value in row.items()} for row in self.rows.iter_rows(named=True)]


def answer(query: Query, pair: Pair) -> Answer:
    """Merge, finish and label.

    Raises:
        UnknownName: no trades of that symbol or venue are known; the message names some that are.
        ArithmeticOverflow: a sum left the range of its type.
    """
    view = query.view
    batch = pair.batch.partials[view.name]
    live = pair.speed.frames.get(view.name, ()) if pair.speed else ()
    parts = [_chosen(query, batch).with_columns(live=pl.lit(value=False))]
    parts += [_chosen(query, frame).with_columns(live=pl.lit(value=True)) for frame in live]
    partials = pl.concat(parts)
    if partials.is_empty():
        _check_known(query, [batch, *live])
    start = pl.col("window_start").dt.truncate(f"{query.interval_us}us").alias("window_start")
    has_live = partials.group_by(*view.keys, start).agg(pl.col("live").any())
    merged = coarsen(view, partials.drop("live"), query.interval_us)
    if query.last is not None:
        rank = pl.col("window_start").rank("ordinal", descending=True).over(view.keys)
        merged = merged.filter(rank <= query.last)
    rows = finished(view, merged.sort(*view.keys, "window_start")).join(has_live, on=view.group, how="left")
    end = pl.col("window_start") + pl.duration(microseconds=query.interval_us)
    rows = rows.with_columns(window_end=end).with_columns(finality=_finality(query, pair))
    columns = [*view.keys, "window_start", "window_end", *view.columns, "finality", "revisions"]
    return Answer(query, pair, rows.sort(*view.keys, "window_start").select(columns))


def _chosen(query: Query, partials: pl.DataFrame) -> pl.DataFrame:
    """The partials that the question is about; a window belongs to the answer if its coarse window's start does."""
    conditions = []
    if query.venue is not None:
        conditions.append(pl.col("venue") == query.venue)
    if query.symbol is not None:
        conditions.append(pl.col("symbol") == query.symbol)
    start_us = pl.col("window_start").dt.epoch("us") // query.interval_us * query.interval_us
    if query.start_us is not None:
        conditions.append(start_us >= query.start_us)
    if query.end_us is not None:
        conditions.append(start_us < query.end_us)
    return partials.filter(*conditions) if conditions else partials


def _finality(query: Query, pair: Pair) -> pl.Expr:
    marks = watermarks_us(pair.batch.publication.witnesses)
    mark = pl.col("venue").replace_strict(marks, default=None, return_dtype=pl.Int64)
    past = (pl.col("window_end").dt.epoch("us") + query.view.lateness_us <= mark).fill_null(value=False)
    settled = pl.when(pl.col("revisions") > 0).then(pl.lit(REVISED)).otherwise(pl.lit(CLOSED))
    return pl.when(past & ~pl.col("live")).then(settled).otherwise(pl.lit(PROVISIONAL))


def _check_known(query: Query, frames: list[pl.DataFrame]) -> None:
    for kind, name in (("venue", query.venue), ("symbol", query.symbol)):
        if name is not None:
            known = pl.concat([frame.select(kind) for frame in frames])[kind].unique().sort()
            if name not in known:
                raise UnknownName(kind, name, known.head(50))


def _newest_event(pair: Pair) -> str | None:
    times = [times[0] for times in pair.batch.publication.witnesses.values() if times]
    if pair.speed and pair.speed.header.newest_event_us is not None:
        times.append(pair.speed.header.newest_event_us)
    return rfc3339(max(times)) if times else None


def _json(value: object) -> object:
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else value
