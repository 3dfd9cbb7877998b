"""An answer: the two sides merged, finished and labelled, and the receipt that says what it was made of."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from time import monotonic
from typing import Any

import polars as pl

from serving.markets import check_known
from serving.query import Query, rfc3339
from serving.seam import Pair
from serving.speed_side import SpeedSide
from twofold.decoding import DECODER_HASH
from twofold.fold import UNOPTIMIZED, checked, coarsen, finished, merging
from twofold.watermark import watermarks_us

PROVISIONAL, CLOSED, REVISED = "provisional", "closed", "revised"

SHOWN_HASH = 16
"""Letters of a decoder's hash that a receipt has; a view's hash has as many."""

_LOST = ("lane", "first_offset", "next_offset")


@dataclass(frozen=True)
class Answer:
    """Rows by (venue, symbol, window start), with their finality."""

    query: Query
    pair: Pair
    rows: pl.DataFrame

    def receipt(self) -> dict[str, Any]:
        """What the answer was made of."""
        publication, speed = self.pair.batch.publication, self.pair.speed
        return {
            "view_hash": self.query.view.hash,
            "decoder_hash": (publication.decoder_hash or DECODER_HASH)[:SHOWN_HASH],
            "sources_hash": speed.header.sources_hash if speed else None,
            "sequence": publication.sequence,
            "cut": dict(sorted(publication.cut.items())),
            "positions": dict(sorted(self.pair.positions.items())),
            "lost": [dict(zip(_LOST, gap, strict=True)) for gap in speed.header.lost] if speed else [],
            "query": self.query.canonical(),
        }

    def json_rows(self) -> list[dict[str, Any]]:
        """Rows as JSON data: decimals as text, times as RFC 3339 in UTC."""
        return [{name: _json(value) for name, value in row.items()} for row in self.rows.iter_rows(named=True)]


def freshness(pair: Pair) -> dict[str, Any]:
    """How fresh an answer made of a pair is. Without a speed state, lag and age are not known and are null."""
    speed = pair.speed
    return {
        "newest_event": _newest_event(pair),
        "lag_records": speed.lag_records if speed else None,
        "age_ms": round((monotonic() - speed.heard_at_s) * 1000) if speed else None,
        "speed": pair.mode,
    }


def material(query: Query, pair: Pair) -> int:
    """How many partials there are to look at for an answer, at most."""
    published = pair.batch.partials[query.view.name].count(query.venue, query.symbol, _newest(query))
    return published + (pair.speed.count(query.view.name) if pair.speed else 0)


def answer(query: Query, pair: Pair) -> Answer:
    """Merge, finish and label, for a question about what is known.

    Raises:
        UnknownName: no trades of that symbol or venue are known; the message names some that are.
        ArithmeticOverflow: a sum left the range of its type.
    """
    found = merged_answer(query, pair)
    if found.rows.is_empty():
        _check_known(query, pair)
    return found


def merged_answer(query: Query, pair: Pair) -> Answer:
    """Merge, finish and label.

    Raises:
        ArithmeticOverflow: a sum left the range of its type.
    """
    view = query.view
    both = [_published(query, pair).lazy().with_columns(live=pl.lit(value=False))]
    if pair.speed:
        both.append(_provisional(query, pair.speed).with_columns(live=pl.lit(value=True)))
    query_of_both = merging(view, coarsen(pl.concat(both), query.interval_us), pl.col("live").any())
    # Sorted afterwards: as a part of the query, a sort of few rows takes longer than the rest of it.
    merged = checked(view, query_of_both.collect(engine="in-memory", optimizations=UNOPTIMIZED)).sort(view.group)
    if query.last is not None and merged.height > query.last:
        merged = merged.group_by(view.keys, maintain_order=True).tail(query.last)
    rows = _labelled(query, pair, finished(view, merged))
    columns = [*view.keys, "window_start", "window_end", *view.columns, "finality", "revisions"]
    return Answer(query, pair, rows[columns])


def _published(query: Query, pair: Pair) -> pl.DataFrame:
    """The batch side's partials that the question is about."""
    start_us, end_us = query.aligned_us(query.start_us), query.aligned_us(query.end_us)
    return pair.batch.partials[query.view.name].about(query.venue, query.symbol, start_us, end_us, _newest(query))


def _newest(query: Query) -> int | None:
    """How many of a market's newest rows hold all windows asked for, if that is known."""
    if query.last is None or set(query.view.keys) != {"venue", "symbol"}:  # with more keys a window has many rows
        return None
    return query.last * (query.interval_us // query.view.window_us)


def _provisional(query: Query, speed: SpeedSide) -> pl.LazyFrame:
    """The speed side's partials that the question is about."""
    start_us, end_us = query.aligned_us(query.start_us), query.aligned_us(query.end_us)
    window_us = pl.col("window_start").to_physical()
    conditions = [
        *([pl.col("venue") == query.venue] if query.venue is not None else []),
        *([pl.col("symbol") == query.symbol] if query.symbol is not None else []),
        *([window_us >= start_us] if start_us is not None else []),
        *([window_us < end_us] if end_us is not None else []),
    ]
    return speed.partials(query.view.name).lazy().filter(*conditions)


def _labelled(query: Query, pair: Pair, merged: pl.DataFrame) -> pl.DataFrame:
    """Add the columns `window_end` and `finality`. Answers are short, so plain Python is quicker than a query."""
    marks_us = watermarks_us(pair.batch.publication.witnesses)
    late_us = query.view.lateness_us
    holes = pair.batch.holes
    ends_us = [start_us + query.interval_us for start_us in merged["window_start"].to_physical()]

    def is_open(venue: str, symbol: str, end_us: int) -> bool:
        past = end_us + late_us <= marks_us.get(venue, 0)
        return not past or holes.may_fall_into((venue, symbol), end_us - query.interval_us, end_us)

    finality = [
        PROVISIONAL if is_live or is_open(venue, symbol, end_us) else (REVISED if revisions else CLOSED)
        for venue, symbol, end_us, revisions, is_live in zip(
            *(merged["venue"], merged["symbol"], ends_us, merged["revisions"], merged["live"]), strict=True
        )
    ]
    end_type = merged.schema["window_start"]
    ends = pl.Series("window_end", ends_us, dtype=pl.Int64).cast(end_type)
    return merged.hstack([ends, pl.Series("finality", finality, dtype=pl.String)])


def _check_known(query: Query, pair: Pair) -> None:
    markets = set(pair.batch.partials[query.view.name].markets)
    if pair.speed:
        markets |= set(pair.speed.partials(query.view.name).select("venue", "symbol").unique().rows())
    check_known(markets, query.venue, query.symbol)


def _newest_event(pair: Pair) -> str | None:
    times = [times[0] for times in pair.batch.publication.witnesses.values() if times]
    if pair.speed and pair.speed.header.newest_event_us is not None:
        times.append(pair.speed.header.newest_event_us)
    return rfc3339(max(times)) if times else None


def _json(value: object) -> object:
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else value
