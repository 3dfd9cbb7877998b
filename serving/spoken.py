"""What has been said: answers made of one pair, for those who ask the same again before there is another."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from serving.answer import answer
from serving.batch_side import BatchSide
from serving.query import Query
from serving.receipts.vouching import Receipts
from serving.seam import Pair
from serving.speed_side import SpeedSide

MOST = 256
"""Answers that are kept at most; each is a page of JSON."""


class Spoken(NamedTuple):
    """The parts of an answer that are a function of question and pair, as JSON."""

    rows: orjson.Fragment
    receipt: orjson.Fragment


class _Said(NamedTuple):
    batch: BatchSide | None
    speed: SpeedSide | None
    answers: dict[tuple[tuple[str, str | int], ...], Spoken]


class Speaker:
    """Answers questions. Many may ask at once: what is kept of a pair is replaced as a whole."""

    def __init__(self, receipts: Receipts) -> None:
        self._receipts = receipts
        self._said = _Said(None, None, {})

    def known(self, query: Query, pair: Pair) -> Spoken | None:
        """What was answered to this question, if it was asked of this pair."""
        said = self._said
        return said.answers.get(_key(query)) if said.batch is pair.batch and said.speed is pair.speed else None

    def answer(self, query: Query, pair: Pair) -> Spoken:
        """Answer a question, and keep the answer if there is room.

        Raises:
            UnknownName: no trades of that symbol or venue are known.
            ArithmeticOverflow: a sum left the range of its type.
        """
        made = answer(query, pair)
        spoken = Spoken(*map(orjson.Fragment, self._receipts.vouch(made)))
        if self._said.batch is not pair.batch or self._said.speed is not pair.speed:
            self._said = _Said(pair.batch, pair.speed, {})
        if len(self._said.answers) < MOST:
            self._said.answers[_key(query)] = spoken
        return spoken


def _key(query: Query) -> tuple[tuple[str, str | int], ...]:
    return tuple(query.canonical().items())
