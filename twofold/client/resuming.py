"""Resuming: how a stream that broke is gone on with."""

from __future__ import annotations

from random import Random
from time import monotonic

from twofold.errors import TwofoldError

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 5.0

SILENCE_S = 45.0
"""Seconds without as much as a heartbeat, which comes every 15 s, after which a connection is taken to be gone."""


class Resuming:
    """What is known of a stream from one connection to the next.

    Args:
        patience_s: for how long it is tried in vain to go on.
        last_event_id: the id of the last update that was had.
        random: spreads those who come back at the same time.
    """

    def __init__(self, patience_s: float, last_event_id: str | None = None, random: Random | None = None) -> None:
        self._patience_s = patience_s
        self._random = random or Random()  # noqa: S311  # when one comes back is no secret
        self._last_event_id = last_event_id
        self._failing_since_s: float | None = None
        self._pause_s = FIRST_PAUSE_S

    @property
    def headers(self) -> dict[str, str]:
        """What a connection asks with."""
        return {} if self._last_event_id is None else {"Last-Event-ID": self._last_event_id}

    def had(self, event_id: str) -> None:
        """Note an update that came."""
        self._last_event_id = event_id
        self._failing_since_s, self._pause_s = None, FIRST_PAUSE_S

    def pause_s(self, error: TwofoldError | None) -> float:
        """How long to wait before the next connection, after one that ended, or failed with an error.

        Raises:
            TwofoldError: it has been tried long enough; what it failed with last.
        """
        now_s = monotonic()
        since_s = self._failing_since_s = self._failing_since_s or now_s
        if error is not None and now_s - since_s > self._patience_s:
            raise error
        pause_s = self._pause_s * self._random.uniform(0.5, 1.0)
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
        return pause_s
