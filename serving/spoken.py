"""What has been said: answers made of one pair, for those who ask the same again before there is another."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import NamedTuple

import orjson

from serving.answer import Answer, answer, check_names
from serving.batch_side import BatchSide
from serving.presentation import Layout, Presentation
from serving.query import Query
from serving.receipts.vouching import Receipts
from serving.seam import Pair
from serving.speed_side import SpeedSide
from serving.state import State
from serving.walks import Cursor, Walks, gone
from serving.writing import arrow_batches, arrow_schema, columns_json, csv, parquet, rows_json
from twofold.errors import TwofoldError

MOST = 256
"""Answers that are kept at most."""

MOST_ROWS = 2_000
"""Rows of an answer that is kept at most."""

HOT_TIMES = 20
"""An answer that was given so often is made of the next pair before anyone asks."""

MOST_HOT = 2
"""So many are at most, the most asked ones: the next pair waits for them."""


class Spoken:
    """An answer, or a page of one, and what has been written of it so far. Rows and receipt are here and nowhere else.

    Attributes:
        page: The rows, and what they were made of.
        next: The cursor to the next page, if there is one.
        times: How often it was given, beside the first time.
    """

    def __init__(self, page: Answer, receipts: Receipts, following: Cursor | None = None) -> None:
        self.page = page
        self._receipts = receipts
        self.next = following
        self.times = 0
        self._heads: dict[Layout, bytes] = {}

    @cached_property
    def rows(self) -> bytes:
        """The rows as JSON."""
        return rows_json(self.page.rows)

    @cached_property
    def receipt(self) -> bytes:
        """The receipt as JSON, with its token."""
        return self._receipts.vouch(self.page)

    def written(self, presentation: Presentation, freshness: bytes) -> list[bytes | memoryview]:
        """The whole answer in parts, with its freshness (JSON) of now."""
        if presentation.format == "json":
            return [self.head(presentation.layout), freshness, b"}"]
        if presentation.format == "csv":
            return [csv(self.page.rows)]
        if presentation.format == "arrow":
            return [arrow_schema(self.page.rows, self._metadata(freshness)), *self._batches]
        return [parquet(self.page.rows, self._metadata(freshness))]

    @cached_property
    def _batches(self) -> list[bytes | memoryview]:
        return arrow_batches(self.page.rows)

    def _metadata(self, freshness: bytes) -> dict[str, bytes]:
        following = {} if self.next is None else {"twofold.next": str(self.next).encode()}
        named = {"twofold.view": self.page.query.view.name.encode(), "twofold.receipt": self.receipt}
        return {**named, "twofold.freshness": freshness, **following}

    def head(self, layout: Layout) -> bytes:
        """A JSON answer up to its freshness."""
        if layout not in self._heads:
            parts = {
                "view": orjson.dumps(self.page.query.view.name),
                layout: self.rows if layout == "rows" else columns_json(self.page.rows),
                "receipt": self.receipt,
                **({} if self.next is None else {"next": orjson.dumps(str(self.next))}),
                "freshness": b"",
            }
            members = b",".join(b'"' + name.encode() + b'":' + text for name, text in parts.items())
            self._heads[layout] = b"{" + members
        return self._heads[layout]

    def write_as(self, other: Spoken) -> None:
        """Write what has been written of another answer."""
        for layout in [*other._heads]:
            self.head(layout)


class _Said(NamedTuple):
    batch: BatchSide | None
    speed: SpeedSide | None
    held: int
    answers: dict[tuple[tuple[str, str | int], ...], Spoken]

    def is_of(self, pair: Pair) -> bool:
        """Whether it was made of a pair."""
        return self.batch is pair.batch and self.speed is pair.speed and self.held == pair.held


class Speaker:
    """Answers questions. Many may ask at once: what is kept of a pair is replaced as a whole."""

    def __init__(self, receipts: Receipts) -> None:
        self._receipts = receipts
        self._said = self._prepared = _Said(None, None, 0, {})
        self._walks = Walks()

    def known(self, query: Query, pair: Pair) -> Spoken | None:
        """What was answered to this question, if it was asked of this pair, or prepared."""
        if not self._said.is_of(pair) and self._prepared.is_of(pair):
            self._said = self._prepared
        said = self._said
        spoken = said.answers.get(_key(query)) if said.is_of(pair) else None
        if spoken is not None:
            spoken.times += 1
        return spoken

    def prepare(self, pair: Pair) -> None:
        """Answer what is asked over and over, of a pair that answers do not come from yet."""
        asked = {key: spoken for key, spoken in [*self._said.answers.items()] if spoken.times >= HOT_TIMES}
        prepared = _Said(pair.batch, pair.speed, pair.held, {})
        for key in sorted(asked, key=lambda key: -asked[key].times)[:MOST_HOT]:
            query = asked[key].page.query
            if query.is_as_known or not pair.serves(query.view):
                continue
            try:
                spoken = self._page(self._whole(query.whole, pair), query)
            except TwofoldError:  # whoever asks is told
                continue
            spoken.write_as(asked[key])
            prepared.answers[key] = spoken
        self._prepared = prepared

    def answer(self, query: Query, pair: Pair) -> Spoken:
        """Answer a question, and keep the answer if there is room.

        Raises:
            UnknownName: no trades of that symbol or venue are known.
            TooMuch: the answer would be larger than one may be.
            ArithmeticOverflow: a sum left the range of its type.
            TwofoldError: for what was known, as `serving.receipts.remaking.Remaker.as_known`.
        """
        spoken = self._page(self._whole(query.whole, pair), query)
        if not self._said.is_of(pair):
            self._said = _Said(pair.batch, pair.speed, pair.held, {})
        if len(self._said.answers) < MOST and spoken.page.rows.height <= MOST_ROWS:
            self._said.answers[_key(query)] = spoken
        return spoken

    def go_on(self, cursor: Cursor, query: Query, pair: Pair) -> Spoken:
        """Answer with the page that a cursor names, of the answer that it names.

        Raises:
            CursorGone: that answer is no longer held, and this pair is not what it was made of.
            TooMuch: there are more rows than go on one page.
        """
        whole = self._walks.whole(cursor)
        if whole is None and cursor.state == State.of(pair).mark:
            whole = self._whole(query.whole, pair)
        if whole is None:
            raise gone(cursor)
        return self._page(whole, query)

    def _whole(self, query: Query, pair: Pair) -> Answer:
        if not query.is_as_known:
            return answer(query, pair)
        found = self._receipts.remaker.as_known(query, State.of(pair))
        check_names(query, pair, found.rows)
        return found

    def _page(self, whole: Answer, query: Query) -> Spoken:
        page = whole.page(query.skip, query.limit)
        return Spoken(page, self._receipts, self._walks.next_page(whole, page))


def etag(query: Query, state: str, presentation: Presentation) -> str:
    """What names an answer, written in one way: weak (RFC 9110, 8.8.1), since its freshness is told anew each time.

    Args:
        query: what was asked.
        state: what it was asked of (`State.mark`).
        presentation: how it is written.
    """
    told = orjson.dumps([query.view.hash, state, query.canonical(), *presentation], option=orjson.OPT_SORT_KEYS)
    return f'W/"{hashlib.blake2b(told, digest_size=12).hexdigest()}"'


def _key(query: Query) -> tuple[tuple[str, str | int], ...]:
    return tuple(query.canonical().items())
