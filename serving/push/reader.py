"""One reader of a stream: where it stands among the events of what it follows."""

from __future__ import annotations

from serving.push.event import Event, end
from serving.push.followed import Bridge, Followed, Why

MOST_BEHIND = 16
"""Events that a reader may be behind; one that is behind more is told the newest state in place of them."""

MOST_CONFLATED = 8
"""How many times in a row that may be so; a reader that never comes up with what happens is dropped."""

SLOW = end(
    "slow",
    "You read more slowly than rows change, so the stream ends here. Ask for less by symbol, columns or last, read "
    "faster, and go on with the last id that you had.",
)


class Reader:
    """A reader. All that is kept of it is a place; events are shared.

    Args:
        followed: what it reads.
        why: why it is told all rows, where it is.
        bridge: the way from what it was told before; None to tell it all rows.
    """

    def __init__(self, followed: Followed, why: Why = "begin", bridge: Bridge | None = None) -> None:
        self._followed = followed
        self._why: Why = why
        self._bridge = None if bridge is None else bridge.event
        self._place = None if bridge is None else bridge.place
        self._conflated = 0
        # Whoever comes back is told all that it missed, as far as that is kept.
        self._is_coming_back = bridge is not None

    async def next(self) -> Event | None:
        """The next event; None at a heartbeat, when there has been none for a while."""
        event = self._ready()
        if event is None:
            await self._followed.news()
            event = self._ready()
        return event

    def _ready(self) -> Event | None:
        followed = self._followed
        if self._bridge is not None:
            bridge, self._bridge = self._bridge, None
            return bridge
        if self._place is None:
            self._place = followed.next_place
            return followed.state(self._why)
        behind = followed.next_place - self._place
        if behind == 0:
            self._conflated, self._is_coming_back = 0, False
            return followed.ended
        event = followed.event(self._place)
        if event is None or (behind > MOST_BEHIND and not self._is_coming_back):
            return self._conflate()
        self._place += 1
        return event

    def _conflate(self) -> Event:
        self._conflated += 1
        if self._conflated > MOST_CONFLATED:
            return SLOW
        self._is_coming_back = False
        self._place = self._followed.next_place
        return self._followed.state("behind")
