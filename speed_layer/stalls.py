"""Stalls: lanes that make no progress though the log has more of them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic

from twofold.lane import Positions

STALL_S = 10.0
"""Seconds without progress, while the log has more, after which a lane is stalled."""

log = logging.getLogger(__name__)


class Stalls:
    """Follows positions, and says in the log when a lane has stalled, once each time, and when it goes on."""

    def __init__(self, now_s: Callable[[], float] = monotonic) -> None:
        self.lanes: frozenset[str] = frozenset()
        self._now_s = now_s
        self._moved: dict[str, tuple[int, float]] = {}

    def look(self, positions: Positions, ends: Positions) -> None:
        """See which lanes have moved, or have come to their ends, since the last look."""
        now_s = self._now_s()
        stalled = set()
        for lane, end in ends.items():
            position = positions.get(lane, 0)
            at, since_s = self._moved.get(lane, (position, now_s))
            if position != at or position >= end:
                since_s = now_s
            self._moved[lane] = position, since_s
            if now_s - since_s > STALL_S:
                stalled.add(lane)
        for lane in sorted(stalled - self.lanes):
            log.warning(
                "Nothing has come of lane %s for %.0f s, though the log goes from %s on to %s: look at the broker that "
                "leads its partition.",
                *(lane, STALL_S, positions.get(lane, 0), ends[lane]),
            )
        for lane in sorted(self.lanes - stalled):
            log.info("Lane %s goes on", lane)
        self.lanes = frozenset(stalled)

    def start_over(self) -> None:
        """Begin to count anew, after time in which nothing was to be read."""
        self._moved.clear()
        self.lanes = frozenset()
