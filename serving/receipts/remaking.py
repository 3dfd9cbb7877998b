"""Answers made again from their receipts: from what the lake and the event log hold, and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from threading import Lock
from typing import Any, NamedTuple

import orjson

from serving.answer import Answer, answer_of_known
from serving.query import Query, asked_again
from serving.receipts.above_cut import AboveCut, Declared
from serving.receipts.below_cut import BelowCut
from serving.receipts.token import Asked, Contents, Made, TokenSigner, columns_hash, contents
from serving.seam import Pair
from serving.state import State
from serving.writing import rows_json
from twofold.clock import from_epoch_us, to_epoch_us
from twofold.edition import carried, founded
from twofold.errors import MeaningDiffers, PublicationUnknown, ReceiptInvalid, TooMuch, UnknownName, ViewRetired
from twofold.history import HistoryReader
from twofold.lake import Lake
from twofold.publication import Publication, Publications
from twofold.taken_in import TakenIn
from twofold.view import View

_PUBLICATIONS = 256
"""Publications that are remembered."""


MOST_TRADES = 20_000_000
"""Trades that are looked at, at most, to answer what was known: some ten seconds' work on one processor."""


class MadeAgain(NamedTuple):
    """The parts of an answer that its receipt vouches for, as JSON."""

    rows: bytes
    receipt: bytes

    def parsed(self) -> dict[str, Any]:
        """Both as JSON data, as they stand in an answer."""
        return {"rows": orjson.loads(self.rows), "receipt": orjson.loads(self.receipt)}


class Remaker:
    """Makes answers again. Many may ask at once; beside what the lake says of its publications it keeps nothing.

    Args:
        lake: where the publications and their tables are.
        declared: how records are read that lie above a cut.
        views: those that a new lake is founded with.
        signer: knows the tokens of this deployment.
    """

    def __init__(self, lake: Lake, declared: Declared, views: Mapping[str, View], signer: TokenSigner) -> None:
        self._lake = lake
        self._declared = declared
        self._views = views
        self.signer = signer
        self._histories = HistoryReader(lake)
        self._publications = Publications(lake)
        self._taken_in: TakenIn | None = None
        self._at = lru_cache(maxsize=_PUBLICATIONS)(self._read_at)
        self._lock = Lock()

    def make_again(self, token: str) -> MadeAgain:
        """Rows and receipt of the answer that a token is of, the same bytes as then.

        Raises:
            ReceiptInvalid: the token is not of this deployment.
            ViewRetired: the lake does not carry the view as it was any more.
            ViewUnreadable: it does, but this version of Twofold does not know it.
            PublicationUnknown: the lake has no such publication.
            GivenUp: it had one, of which nothing can be made any more.
            MeaningDiffers: decoder, sources or publication are others.
            RecordsGone: what lay above the cut is neither in the lake nor in the event log.
            LakeUnreachable: the lake cannot be read.
            EventLogUnreachable: no broker answers.
            ArithmeticOverflow: a sum left the range of its type.
        """
        found = self.answer(token)
        receipt = {**found.receipt(), "token": token}
        return MadeAgain(rows_json(found.rows), orjson.dumps(receipt))

    def answer(self, token: str) -> Answer:
        """The answer that a token is of.

        Raises:
            TwofoldError: as `make_again`.
        """
        held = self.signer.read(token)
        query = self._query(held.asked)
        return answer_of_known(query, self._pair(query, held))

    def as_known(self, query: Query, state: State) -> Answer:
        """The answer to a question for what was known, from a state: made of trades, as every answer is made again.

        Raises:
            TooMuch: there are too many trades to look at, or too many rows.
            RecordsGone: what lies above the cut is neither in the lake nor in the event log any more.
            TwofoldError: as `make_again`.
        """
        pair = self._pair(query, contents(query, state), MOST_TRADES)
        return replace(answer_of_known(query, pair), state=state)

    def _query(self, asked: Asked) -> Query:
        view = self._view(str(asked.query.get("view")), asked)
        try:
            return asked_again(asked.query, {view.name: view})
        except TypeError:
            raise ReceiptInvalid(
                "The question of this receipt has parts that this version of Twofold does not know. Run the version "
                "that gave the answer."
            ) from None

    def _view(self, name: str, asked: Asked) -> View:
        """The view as it was asked, which the lake carries for as long as it is not retired."""
        newest = self._newest().newest
        editions = newest.editions or founded(self._views, newest.sequence)
        found = next((each for each in editions if (each.name, each.hash) == (name, asked.view_hash)), None)
        if found is None:
            there = ", ".join(f"{each.name} {each.hash}" for each in carried(editions))
            why = f"is not in the lake at {self._lake.root}, which has {there}"
        elif not found.is_carried:
            why = f"was retired by publication {found.since}"
        elif columns_hash(found.view) != asked.columns_hash:
            why = "has its columns in another order by now"
        else:
            return found.view
        raise ViewRetired(
            f"The view {name!r} with the hash {asked.view_hash} {why}, so that its answers cannot be made again. "
            "Declare it as it was, and build it anew by `twofold view build`."
        )

    def _pair(self, query: Query, held: Contents, most_trades: int | None = None) -> Pair:
        taken_in = self._newest()
        publication = self._publication(held.made)
        history = self._histories.up_to(taken_in.newest)
        below = BelowCut(query, publication, history, taken_in)
        if most_trades is not None and (trades := below.most_trades()) > most_trades:
            raise TooMuch(
                f"This answer would be made of up to {trades} trades; what was known is made of at most {most_trades} "
                "at once. Ask for fewer by start, end or symbol, in several questions."
            )
        batch = below.made_again()
        if held.made.sources_hash is None:
            return Pair(batch, mode="unused")
        reached = history.first_past(held.made.positions)
        first_past = taken_in.newest if reached is None else self._at(max(reached, publication.sequence))
        above = AboveCut(query, held.made, publication, first_past, history.lost, taken_in, self._declared)
        return Pair(batch, above.made_again(), held=held.made.held)

    def _newest(self) -> TakenIn:
        """The lake as of its newest publication, made anew whenever there is another."""
        with self._lock:
            newest = self._publications.newest()
            if self._taken_in is None or self._taken_in.newest != newest:
                self._taken_in = TakenIn(self._lake, newest)
                self._at.cache_clear()
            return self._taken_in

    def _read_at(self, sequence: int) -> Publication:
        with self._lock:
            return self._publications.at(sequence)

    def _publication(self, made: Made) -> Publication:
        try:
            found = self._at(made.sequence)
        except UnknownName as unknown:
            raise PublicationUnknown(
                f"The receipt names publication {made.sequence}, which the lake at {self._lake.root} does not have; "
                f"there are {', '.join(unknown.exist)}. Look whether serving reads the lake that gave the answer, and "
                "whether that went back since."
            ) from None
        if to_epoch_us(found.published_at) != made.published_us or dict(found.cut) != made.cut:
            raise MeaningDiffers(
                f"The receipt names publication {made.sequence} of {from_epoch_us(made.published_us).isoformat()}; the "
                f"lake at {self._lake.root} has another one of that number, of {found.published_at.isoformat()}. It "
                "went back and on again since, or is another lake."
            )
        return found
