"""A question that is followed: its newest answer, and the events of late, which all of its readers share."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from time import monotonic
from typing import Literal, NamedTuple

import orjson

from serving.answer import Answer, answer, answer_of_known
from serving.push.changes import Change, changed
from serving.push.event import Event, members
from serving.query import Query
from serving.receipts.vouching import Receipts
from serving.seam import Pair
from serving.state import State
from serving.writing import rows_json
from twofold.errors import TooMuch, ViewChanged
from twofold.lane import at_least

MOST_EVENTS = 1024
MOST_BYTES = 2 * 1024**2
MOST_IDS = 2048
"""What is kept of events that have been told; a reader that left comes back to these without loss."""

MOST_BRIDGES = 8
"""Ways on from states of before that are kept, for readers that come back together."""

MOST_ROWS = 10_000
"""Rows that one question may be followed for."""

Why = Literal["begin", "unknown_id", "behind", "leap"]
"""Why rows are told whole: the stream begins; what was told last is not known any more; the reader is slow; or what
changed since cannot be told as a change."""


class Bridge(NamedTuple):
    """The way of a reader from what it was told to what others are told: an event, if anything is different.

    Attributes:
        event: What it is told first.
        place: The number of the event that follows.
    """

    event: Event | None
    place: int


class Followed:
    """A question and its events, which are numbered from 0 on. Used in one event loop.

    Args:
        first: the answer to begin with.
        pair: what that was made of.
        receipts: vouches for what is told.
    """

    def __init__(self, first: Answer, pair: Pair, receipts: Receipts) -> None:
        self.query = first.query
        self.readers = 0
        self.left_at_s = self._woke_at_s = monotonic()
        self.ended: Event | None = None
        self.moving = asyncio.Lock()
        self._receipts = receipts
        self._answer = first
        self._pair = pair
        self._receipt = receipts.vouch(first)
        self._events: deque[Event] = deque()
        self._bytes = 0
        self._first = 0
        self._places: OrderedDict[str, int] = OrderedDict()
        self._bridges: OrderedDict[str, Bridge] = OrderedDict()
        self._news = asyncio.Event()

    @property
    def next_place(self) -> int:
        """The number of the event that comes next."""
        return self._first + len(self._events)

    def place_after(self, event_id: str) -> int | None:
        """The number of the event that follows what an id names; None if it is not known any more."""
        return self.next_place if event_id == _id(self._receipt) else self._places.get(event_id)

    def event(self, place: int) -> Event | None:
        """An event by its number; None if it is not kept any more."""
        return self._events[place - self._first] if self._first <= place < self.next_place else None

    def state(self, why: Why) -> Event:
        """All rows as they are now, with the freshness of now."""
        told = self._state(why, self._answer, self._receipt, self._pair)
        self._note(told, self.next_place)
        return told

    def known_bridge(self, event_id: str) -> Bridge | None:
        """The way on from what an id names, if it is known."""
        place = self.place_after(event_id)
        if place is not None:
            return Bridge(None, place)
        bridge = self._bridges.get(event_id)
        return bridge if bridge is not None and bridge.place >= self._first else None

    async def bridge_from(self, event_id: str, before: Answer) -> Bridge | None:
        """The way from an earlier answer, by its id, to now; None where that cannot be told as a change.

        Raises:
            TooMuch: more would have to be looked through than one answer may be made of.
            ArithmeticOverflow: a sum left the range of its type.
        """
        async with self.moving:
            bridge = self.known_bridge(event_id) or await asyncio.to_thread(self._bridge, before)
            if bridge is not None:
                self._bridges[event_id] = bridge
                if len(self._bridges) > MOST_BRIDGES:
                    self._bridges.popitem(last=False)
                if bridge.event is not None:
                    self._note(bridge.event, bridge.place)
            return bridge

    async def news(self) -> None:
        """Wait for the next event, the end, or a heartbeat."""
        await self._news.wait()

    def beat(self, heartbeat_s: float) -> None:
        """Wake all readers if nothing has for so many seconds."""
        if monotonic() - self._woke_at_s > heartbeat_s:
            self._wake()

    def end(self, event: Event) -> None:
        """Tell all readers that nothing follows."""
        self.ended = event
        self._wake()

    def differs(self, pair: Pair) -> bool:
        """Whether a pair may tell something else."""
        known = self._pair
        same_speed = pair.speed is known.speed or (
            pair.speed is not None
            and known.speed is not None
            and pair.speed.header.positions == known.speed.header.positions
            and pair.speed.header.lost == known.speed.header.lost
            and pair.speed.header.sources_hash == known.speed.header.sources_hash
        )
        return pair.batch is not known.batch or not same_speed or (pair.mode, pair.held) != (known.mode, known.held)

    def keep_fresh(self, pair: Pair) -> None:
        """Note a pair that tells the same, but was heard later."""
        self._pair = pair

    async def move_to(self, pair: Pair) -> None:
        """Tell what is different in a pair.

        Raises:
            TooMuch: there are more rows than may be followed.
            ViewChanged: the view is another there.
            ArithmeticOverflow: a sum left the range of its type.
        """
        check_serves(pair, self.query)
        if not self.differs(pair):
            self.keep_fresh(pair)
            return
        has_news = (pair.mode, pair.held) != (self._pair.mode, self._pair.held)
        now, receipt, event = await asyncio.to_thread(self._advanced, pair, has_news=has_news)
        self._answer, self._pair, self._receipt = now, pair, receipt
        if event is not None:
            self._add(event)

    def _advanced(self, pair: Pair, *, has_news: bool) -> tuple[Answer, bytes, Event | None]:
        """The answer of a pair, its receipt, and the event that leads there."""
        now = answer_of_known(self.query, pair)
        check_rows(now)
        receipt = self._receipts.vouch(now)
        change = changed(self._answer, now, pair)
        if change is None:
            return now, receipt, self._state("leap", now, receipt, pair)
        if change.rows.is_empty() and not has_news:
            return now, receipt, None
        return now, receipt, self._change(change, now, receipt)

    def _bridge(self, before: Answer) -> Bridge | None:
        is_of_another_view = before.query.view.hash != self.query.view.hash
        if is_of_another_view or not at_least(self._answer.state.positions, before.state.positions):
            return None
        change = changed(before, self._answer, self._pair)
        if change is None:
            return None
        event = None if change.rows.is_empty() else self._change(change, self._answer, self._receipt)
        return Bridge(event, self.next_place)

    def _change(self, change: Change, now: Answer, receipt: bytes) -> Event:
        data = members(
            view=orjson.dumps(self.query.view.name),
            rows=rows_json(change.rows),
            was=rows_json(change.was),
            receipt=receipt if change.source is now else self._receipts.vouch(change.source),
            freshness=orjson.dumps(now.state.freshness()),
        )
        return Event("change", _id(receipt), data)

    def _state(self, why: Why, told: Answer, receipt: bytes, pair: Pair) -> Event:
        data = members(
            view=orjson.dumps(self.query.view.name),
            because=orjson.dumps(why),
            rows=rows_json(told.rows),
            receipt=receipt,
            freshness=orjson.dumps(State.of(pair).freshness()),
        )
        return Event("state", _id(receipt), data)

    def _add(self, event: Event) -> None:
        self._events.append(event)
        self._bytes += len(event.sse)
        while len(self._events) > MOST_EVENTS or (self._bytes > MOST_BYTES and len(self._events) > 1):
            self._bytes -= len(self._events.popleft().sse)
            self._first += 1
        self._note(event, self.next_place)
        self._wake()

    def _note(self, event: Event, following: int) -> None:
        """Note which event follows one that is told."""
        if event.id is not None:
            self._places.setdefault(event.id, following)
        while len(self._places) > MOST_IDS or next(iter(self._places.values())) < self._first:
            self._places.popitem(last=False)

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
        self._woke_at_s = monotonic()


def first_answer(query: Query, pair: Pair) -> Answer:
    """The answer that following a question begins with.

    Raises:
        UnknownName: no trades of a symbol or venue are known.
        TooMuch: there are more rows than may be followed.
        ArithmeticOverflow: a sum left the range of its type.
    """
    found = answer(query, pair)
    check_rows(found)
    return found


def check_rows(found: Answer) -> None:
    """See that an answer is not too long to be followed.

    Raises:
        TooMuch: it is.
    """
    if found.rows.height > MOST_ROWS:
        raise TooMuch(
            f"This question has {found.rows.height} rows; a stream follows at most {MOST_ROWS}. Ask for fewer by last, "
            "symbol, venue or a longer interval."
        )


def _id(receipt: bytes) -> str:
    token: str = orjson.loads(receipt)["token"]
    return token


def check_serves(pair: Pair, query: Query) -> None:
    """See that a pair has the view as a question takes it.

    Raises:
        ViewChanged: it has not.
    """
    if not pair.serves(query.view):
        raise ViewChanged(query.view.name)
