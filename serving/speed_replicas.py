"""The replicas of one speed worker: processes that fold the same lanes. Whichever has come furthest is asked."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from serving.speed_side import Shared, SpeedClient, SpeedSide
from twofold.errors import BaseGone, SpeedAway, SpeedError
from twofold.lane import Positions, at_least
from twofold.speed_state import SpeedHeader

COMPARE_S = 1.0
"""Seconds after which the one that is asked is compared with the others, and one that was silent is asked again."""


class SpeedReplicas:
    """Asks one of several clients for as long as it keeps up."""

    def __init__(self, clients: Sequence[SpeedClient]) -> None:
        self._clients = clients
        self._chosen = 0
        self._compared_at_s = monotonic()
        self._positions_then: Positions = {}
        self._silent_until_s = [0.0] * len(clients)

    def follow(self, sequence: int, known: SpeedSide | None, wait_ms: int, shared: Shared = None) -> SpeedSide:
        """The newest state of a base, as `SpeedClient.follow` gives it.

        Raises:
            BaseGone: no replica that answers holds that base.
            SpeedAway: none answers.
        """
        side: SpeedSide | None = None
        failure: SpeedError | None = None
        try:
            side = self._clients[self._chosen].follow(sequence, known, wait_ms, shared)
        except (BaseGone, SpeedAway) as error:
            failure = error
        if len(self._clients) > 1 and self._is_better_elsewhere(sequence, side, known):
            return self._clients[self._chosen].follow(sequence, known, 0, shared)
        if side is None:
            raise failure or SpeedAway("No replica of the speed worker was asked.")
        return side

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients:
            client.close()

    def _is_better_elsewhere(self, sequence: int, side: SpeedSide | None, known: SpeedSide | None) -> bool:
        """Compare with the others if there is reason to, and choose the one that has come furthest."""
        goal = known.header.positions if known else {}
        keeps_up = side is not None and side.header.state == "live" and at_least(side.header.positions, goal)
        if keeps_up and monotonic() - self._compared_at_s < COMPARE_S:
            return False
        self._compared_at_s = monotonic()
        stands_still = side is None or side.header.positions == self._positions_then
        self._positions_then = side.header.positions if side else {}
        if keeps_up and not stands_still:
            return False
        others = {place: head for place in range(len(self._clients)) if (head := self._head(place, sequence))}
        best = max(others, key=lambda place: _rank(others[place], goal), default=None)
        if best is None or (side is not None and _rank(others[best], goal) <= _rank(side.header, goal)):
            return False
        self._chosen = best
        return True

    def _head(self, place: int, sequence: int) -> SpeedHeader | None:
        """Where another replica stands; None if it is no help."""
        if place == self._chosen or monotonic() < self._silent_until_s[place]:
            return None
        try:
            return self._clients[place].head(sequence)
        except BaseGone:
            return None
        except SpeedAway:
            self._silent_until_s[place] = monotonic() + COMPARE_S
            return None


def _rank(header: SpeedHeader, goal: Positions) -> tuple[bool, bool, bool, int]:
    state, positions = header.state, header.positions
    return state != "catching_up", at_least(positions, goal), state == "live", sum(positions.values())
