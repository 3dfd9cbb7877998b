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
from twofold.fold import checked, coarsen, finished, merging
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
    live = pair.speed.partials(view.name) if pair.speed else batch.clear()
    both = pl.concat(
        [side.lazy().with_columns(live=pl.lit(is_live)) for side, is_live in ((batch, False), (live, True))]
    )
    chosen = coarsen(both, query.interval_us).filter(_conditions(query))
    merged = merging(view, chosen, pl.col("live").any()).sort(view.group)
    if query.last is not None:
        merged = merged.group_by(view.keys, maintain_order=True).tail(query.last)
    rows = _labelled(query, pair, finished(view, checked(view, merged.collect())))
    if rows.is_empty():
        _check_known(query, [batch, live])
    columns = [*view.keys, "window_start", "window_end", *view.columns, "finality", "revisions"]
    return Answer(query, pair, rows[columns])


def _conditions(query: Query) -> list[pl.Expr]:
    """What the question is about, by keys and by the starts of coarse windows."""
    conditions = [pl.lit(value=True)]
    if query.venue is not None:
        conditions.append(pl.col("venue") == query.venue)
    if query.symbol is not None:
        conditions.append(pl.col("symbol") == query.symbol)
    start_us = pl.col("window_start").dt.epoch("us")
    if query.start_us is not None:
        conditions.append(start_us >= query.start_us)
    if query.end_us is not None:
        conditions.append(start_us < query.end_us)
    return conditions


def _labelled(query: Query, pair: Pair, merged: pl.DataFrame) -> pl.DataFrame:
    """Add the columns `window_end` and `finality`. Answers are short, so plain Python is quicker than a query."""
    marks_us = watermarks_us(pair.batch.publication.witnesses)
    late_us = query.view.lateness_us
    ends_us = [start_us + query.interval_us for start_us in merged["window_start"].dt.epoch("us")]
    finality = [
        PROVISIONAL if is_live or end_us + late_us > marks_us.get(venue, 0) else (REVISED if revisions else CLOSED)
        for venue, end_us, revisions, is_live in zip(
            merged["venue"], ends_us, merged["revisions"], merged["live"], strict=True
        )
    ]
    end_type = merged.schema["window_start"]
    ends = pl.Series("window_end", ends_us, dtype=pl.Int64).cast(end_type)
    return merged.hstack([ends, pl.Series("finality", finality, dtype=pl.String)])


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
