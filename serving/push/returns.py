"""Returns: readers that come back with an id, and are told what changed since, also by a process that never told it."""

from __future__ import annotations

import asyncio
import logging

from serving.answer import Answer
from serving.push.followed import Bridge, Followed
from serving.query import Query
from serving.receipts.vouching import Receipts
from twofold.errors import TwofoldError

AT_ONCE = 2
MOST_WAITING = 8
"""Earlier answers that are made again at once, and that are waited for; readers of more are told all rows instead."""

log = logging.getLogger(__name__)


class Returns:
    """Finds the way from what a reader was told last to what others are told. Used in one event loop.

    An id is a receipt's token, so that where the events since are not kept, as after a restart, the answer that it is
    of is made again, and compared with the one of now. Readers that come back with the same id share that.
    """

    def __init__(self, receipts: Receipts) -> None:
        self._receipts = receipts
        self._making: dict[str, asyncio.Task[Answer | None]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def bridge(self, followed: Followed, event_id: str) -> Bridge | None:
        """The way on from an event; None where what it told is not known and cannot be made again."""
        if (known := followed.known_bridge(event_id)) is not None:
            return known
        before = await self._before(followed.query, event_id)
        if before is None:
            return None
        try:
            return await followed.bridge_from(event_id, before)
        except TwofoldError as error:
            log.info("A reader is told all rows: %s", error)
            return None

    async def _before(self, query: Query, event_id: str) -> Answer | None:
        if event_id not in self._making:
            if len(self._making) >= MOST_WAITING:
                return None
            making = self._making[event_id] = asyncio.create_task(self._in_turn(query, event_id))
            making.add_done_callback(lambda _: self._making.pop(event_id, None))
        return await asyncio.shield(self._making[event_id])

    async def _in_turn(self, query: Query, event_id: str) -> Answer | None:
        async with self._turns:
            return await asyncio.to_thread(self._made_again, query, event_id)

    def _made_again(self, query: Query, event_id: str) -> Answer | None:
        try:
            if self._receipts.signer.read(event_id).asked.query != query.canonical():
                return None
            return self._receipts.remaker.answer(event_id)
        except TwofoldError as error:
            log.info("A reader is told all rows: %s", error)
            return None
