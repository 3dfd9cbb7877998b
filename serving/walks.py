"""Walks through the pages of an answer: all of its pages are made of the same publication and positions."""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from threading import Lock
from typing import NamedTuple

import orjson

from serving.answer import Answer
from serving.query import Query
from twofold.errors import CursorGone, QueryError

MOST_WALKS = 256
MOST_BYTES = 512 * 1024**2
"""What is held at most of answers that are walked through; of more, those go that nobody has asked for longest."""

CURSOR = r"([0-9a-f]{24})\.([0-9a-f]{16})\.([1-9][0-9]{0,9})"
_CURSOR = re.compile(CURSOR)


class Cursor(NamedTuple):
    """Where a walk goes on.

    Attributes:
        state: The mark of what its answer was made of (`State.mark`).
        question: A mark of what was asked.
        skip: Rows on the pages before.
    """

    state: str
    question: str
    skip: int

    @classmethod
    def parse(cls, text: str, query: Query) -> Cursor:
        """Read a cursor that goes with a question.

        Raises:
            QueryError: it is none, or of another question.
        """
        match = _CURSOR.fullmatch(text)
        if match is None:
            raise QueryError(f"cursor={text[:80]!r} is no cursor. Take `next` of the page before, as it is.")
        if match[2] != _mark(query):
            raise QueryError(
                f"cursor={text!r} is of another question. Repeat the parameters of the page that it came with; only "
                "limit, format and layout may differ."
            )
        return cls(match[1], match[2], int(match[3]))

    def __str__(self) -> str:
        return f"{self.state}.{self.question}.{self.skip}"


class Walks:
    """Answers that somebody is walking through. Many may ask at once."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, str], Answer] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def next_page(self, whole: Answer, page: Answer) -> Cursor | None:
        """The cursor to what follows a page, and hold the answer for whoever goes on; None behind the last row."""
        skip = page.query.skip + page.rows.height
        if skip >= whole.rows.height:
            return None
        cursor = Cursor(whole.state.mark, _mark(whole.query), skip)
        with self._lock:
            if self._held.setdefault(cursor[:2], whole) is whole:
                self._bytes += int(whole.rows.estimated_size())
            while len(self._held) > MOST_WALKS or (self._bytes > MOST_BYTES and len(self._held) > 1):
                _, gone = self._held.popitem(last=False)
                self._bytes -= int(gone.rows.estimated_size())
        return cursor

    def whole(self, cursor: Cursor) -> Answer | None:
        """The answer that a cursor goes on with, if it is held."""
        with self._lock:
            found = self._held.get(cursor[:2])
            if found is not None:
                self._held.move_to_end(cursor[:2])
            return found


def gone(cursor: Cursor) -> CursorGone:
    """Say that an answer is no longer held, and what to do."""
    return CursorGone(
        f"The answer that cursor={str(cursor)!r} goes on with is no longer held: serving was started anew, or many "
        "others were walked through since. Ask again without cursor for an answer of now; its rows may be others. A "
        "larger limit needs fewer pages."
    )


def _mark(query: Query) -> str:
    told = orjson.dumps(query.whole.canonical(), option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(told, digest_size=8).hexdigest()
