"""The hub: the questions that are followed, each by one computation for every state and however many readers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

from serving.push.event import end
from serving.push.followed import Followed, check_serves, first_answer
from serving.push.reader import Reader
from serving.push.returns import Returns
from serving.query import Query
from serving.receipts.vouching import Receipts
from serving.seam import Pair, Seam
from twofold.errors import TooManyStreams, TwofoldError, ViewChanged

MOST_QUESTIONS = 128
MOST_READERS = 4096

_STOPPING = end("stopping", "Serving stops or starts anew. Come back in a second with the last id that you had.")

Key = tuple[tuple[str, str | int], ...]
"""A question, in its canonical form, and what its view means."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Timing:
    """How long things take, in seconds.

    Attributes:
        tick_s: Between two looks for news; what happens in between is told together.
        heartbeat_s: Of silence, after which a reader is told that the stream still stands.
        stalled_s: That a reader may take to accept an event, or a quarter more; then it is told nothing but that it is
            dropped.
        grace_s: That it may take to accept that; then the connection is given up.
        linger_s: That a question is kept after its last reader left, for those who come back.
    """

    tick_s: float = 0.05
    heartbeat_s: float = 15.0
    stalled_s: float = 10.0
    grace_s: float = 10.0
    linger_s: float = 60.0


TIMING = Timing()


class Hub:
    """Follows questions as long as there are readers, and a while longer. Used in one event loop."""

    def __init__(self, seam: Seam, receipts: Receipts, timing: Timing = TIMING) -> None:
        self.timing = timing
        self._seam = seam
        self._receipts = receipts
        self._returns = Returns(receipts)
        self._questions: dict[Key, asyncio.Task[Followed]] = {}
        self._moves: set[asyncio.Task[None]] = set()
        self._ticking: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def reading(self, query: Query, last_event_id: str | None) -> AsyncIterator[Reader]:
        """Read the events of a question.

        Raises:
            UnknownName: no trades of a symbol or venue are known.
            TooMuch: there are more rows than may be followed.
            TooManyStreams: as many questions or readers as there may be are there already.
            LakeUnreachable: the lake cannot be read.
            SpeedAway: the speed worker has not been heard yet.
            ViewChanged: the view has been changed since the question was read.
            ArithmeticOverflow: a sum left the range of its type.
        """
        pair = self._seam.pair("live")
        check_serves(pair, query)
        followed = await self._followed(query, pair)
        followed.readers += 1
        try:
            async with followed.moving:
                await followed.move_to(pair)
            if last_event_id is None:
                yield Reader(followed)
            else:
                yield Reader(followed, "unknown_id", await self._returns.bridge(followed, last_event_id))
        finally:
            followed.readers -= 1
            followed.left_at_s = monotonic()

    @property
    def readers(self) -> int:
        """How many readers there are."""
        return sum(followed.readers for _, followed in self._open())

    @property
    def questions(self) -> int:
        """How many questions are followed, with those whose readers have just left."""
        return len(self._questions)

    async def stop(self) -> None:
        """End all streams, and follow nothing any more."""
        for _, followed in self._open():
            followed.end(_STOPPING)
        tasks = [*self._moves, *self._questions.values(), *([self._ticking] if self._ticking else [])]
        self._questions.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _followed(self, query: Query, pair: Pair) -> Followed:
        if self.readers >= MOST_READERS:
            raise TooManyStreams(f"There are {MOST_READERS} readers of streams already. Come back later.")
        self._ticking = self._ticking or asyncio.create_task(self._tick())
        key = (*query.canonical().items(), ("view_hash", query.view.hash))
        if key not in self._questions:
            if len(self._questions) >= MOST_QUESTIONS:
                raise TooManyStreams(
                    f"{MOST_QUESTIONS} different questions are followed already. Follow one that others do, or come "
                    "back later."
                )
            self._questions[key] = asyncio.create_task(self._begun(key, query, pair))
        return await asyncio.shield(self._questions[key])

    async def _begun(self, key: Key, query: Query, pair: Pair) -> Followed:
        try:
            return Followed(await asyncio.to_thread(first_answer, query, pair), pair, self._receipts)
        except BaseException:
            self._questions.pop(key, None)
            raise

    def _open(self) -> list[tuple[Key, Followed]]:
        return [
            (key, task.result())
            for key, task in list(self._questions.items())  # which metrics read in another thread
            if task.done() and not task.cancelled() and task.exception() is None
        ]

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self.timing.tick_s)
            try:
                pair = self._seam.pair("live")
            except TwofoldError as error:
                for key, followed in self._open():
                    self._drop(key, followed, error)
                continue
            for key, followed in self._open():
                followed.beat(self.timing.heartbeat_s)
                if followed.readers == 0 and monotonic() - followed.left_at_s > self.timing.linger_s:
                    del self._questions[key]
                elif followed.readers and not followed.moving.locked():
                    move = asyncio.create_task(self._move(key, followed, pair))
                    self._moves.add(move)
                    move.add_done_callback(self._moves.discard)

    async def _move(self, key: Key, followed: Followed, pair: Pair) -> None:
        try:
            async with followed.moving:
                await followed.move_to(pair)
        except TwofoldError as error:
            self._drop(key, followed, error)
        except Exception as error:
            log.exception("A question could not be followed any further: %s", followed.query.canonical())
            self._drop(key, followed, error)

    def _drop(self, key: Key, followed: Followed, error: Exception) -> None:
        told = str(error) if isinstance(error, TwofoldError) else "This was not foreseen. The log of serving says more."
        followed.end(end("view_changed" if isinstance(error, ViewChanged) else "failed", told))
        self._questions.pop(key, None)
