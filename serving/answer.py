"""An answer: the two sides merged, finished and labelled, and the receipt that says what it was made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import orjson
import polars as pl

from serving.markets import check_known, known_markets
from serving.merged import count, merged_rows
from serving.names import Names, names
from serving.query import MAX_LIMIT, Query
from serving.seam import Pair
from serving.state import State
from serving.writing import rows_json
from twofold.decoding import DECODER_HASH
from twofold.errors import TooMuch

MOST_PARTIALS = 6_000_000
"""Partials of which one answer is made at most: ten years of one market's minutes, about a gigabyte."""

MOST_ROWS = 1_000_000
"""Rows of one answer at most, all its pages taken together."""

SHOWN_HASH = 16
"""Letters of a decoder's hash that a receipt has; a view's hash has as many."""

_LOST = ("lane", "first_offset", "next_offset")


@dataclass(frozen=True)
class Answer:
    """Rows by keys and window start, with their finality."""

    query: Query
    state: State
    rows: pl.DataFrame

    def receipt(self) -> dict[str, Any]:
        """What the answer was made of."""
        publication = self.state.publication
        return {
            "view_hash": self.query.view.hash,
            "decoder_hash": (publication.decoder_hash or DECODER_HASH)[:SHOWN_HASH],
            "sources_hash": self.state.sources_hash,
            "sequence": publication.sequence,
            "cut": dict(sorted(publication.cut.items())),
            "positions": dict(sorted(self.state.positions.items())),
            "lost": [dict(zip(_LOST, gap, strict=True)) for gap in self.state.lost],
            **({"exclusions": excluded} if (excluded := publication.excluded_by) else {}),
            "query": self.query.canonical(),
        }

    def json_rows(self) -> list[dict[str, Any]]:
        """Rows as JSON data: decimals as text, times as RFC 3339 in UTC."""
        rows: list[dict[str, Any]] = orjson.loads(rows_json(self.rows))
        return rows

    def page(self, skip: int, limit: int | None) -> Answer:
        """A part of this answer, which is the answer to the question for that part.

        Raises:
            TooMuch: all rows are asked for, and there are more than go on one page.
        """
        rows = self.rows.slice(skip, limit)
        if rows.height > MAX_LIMIT:
            raise TooMuch(
                f"This answer has {rows.height} rows; one response has at most {MAX_LIMIT}. Add limit={MAX_LIMIT} or "
                "less and go on with what `next` says, or ask for fewer by last, start, end or a longer interval."
            )
        return Answer(replace(self.query, skip=skip, limit=limit), self.state, rows)


def answer(query: Query, pair: Pair) -> Answer:
    """Merge, finish and label: rows and receipt are a function of these two alone.

    Raises:
        UnknownName: no trades of a symbol or venue are known; the message names some that are.
        TooMuch: it would be larger than an answer may be.
        ArithmeticOverflow: a sum left the range of its type.
    """
    found = answer_of_known(query.whole, pair)
    check_names(query, pair, found.rows)
    return found if query == query.whole else found.page(query.skip, query.limit)


def answer_of_known(query: Query, pair: Pair) -> Answer:
    """The same for a question of which it is known that it can be answered; the pair may hold no more than it takes.

    Raises:
        TooMuch: it would be larger than an answer may be.
        ArithmeticOverflow: a sum left the range of its type.
    """
    whole = _whole(query.whole, pair)
    return whole if query == query.whole else whole.page(query.skip, query.limit)


def _whole(query: Query, pair: Pair) -> Answer:
    if (partials := count(query, pair)) > MOST_PARTIALS:
        raise TooMuch(
            f"This answer would be made of up to {partials} windows of the view's grain; one answer is made of at most "
            f"{MOST_PARTIALS}. Ask for fewer by start, end or symbol, in several questions."
        )
    rows = merged_rows(query, pair)
    if query.finality is not None:
        rows = rows.filter(pl.col("finality").is_in(query.finality))
    rows = _newest_rows(query, rows)
    if rows.height > MOST_ROWS:
        raise TooMuch(
            f"This answer has {rows.height} rows; one answer has at most {MOST_ROWS}, all pages taken together. "
            "Ask for fewer by last, start, end, symbol or a longer interval."
        )
    view = query.view
    order = [*view.group, "window_end", *view.columns, "finality", "revisions"]
    if query.columns is not None:
        order = [name for name in order if name in {*view.group, *query.columns, "finality"}]
    return Answer(query, State.of(pair), rows[order])


def _newest_rows(query: Query, merged: pl.DataFrame) -> pl.DataFrame:
    if query.last is None or merged.height <= query.last:
        return merged
    keys = merged[query.view.keys]
    if keys.row(0) == keys.row(-1):  # rows are in order, so these are of one market
        return merged.tail(query.last)
    return merged.group_by(query.view.keys, maintain_order=True).tail(query.last)


def check_names(query: Query, pair: Pair, rows: pl.DataFrame) -> None:
    """See that each name asked for is known, looking only where the rows do not show that it is.

    Raises:
        UnknownName: it is not; the message names some that are.
    """
    asked = [(column, names(text)) for column in ("venue", "symbol") if (text := getattr(query, column)) is not None]
    if not rows.is_empty() and all(_is_shown(its, rows[column]) for column, its in asked):
        return
    check_known(known_markets(query.view, pair), query.venue, query.symbol)


def _is_shown(asked: Names, column: pl.Series) -> bool:
    """Whether rows, which are all of names asked for, have each of these."""
    return not asked.patterns and (len(asked.exact) == 1 or asked.exact <= set(column.unique()))
