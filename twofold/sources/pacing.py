"""Pacing: keeping to a schedule, and knowing how far behind it one is."""

from __future__ import annotations

import time
from collections.abc import Callable

from twofold.errors import SettingsError

_SHORTEST_SLEEP_S = 0.001
"""A sleep shorter than this takes longer than asked for; being so little early is nothing."""
_LONGEST_SLEEP_S = 0.1
"""After this long at most, a wish to stop is heard."""


def parse_speed(text: str) -> float | None:
    """Read a speed: `max` is None (as quick as possible), a number how many times as fast as recorded.

    Raises:
        SettingsError: it is neither.
    """
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.0 < speed < float("inf"):
        raise SettingsError(f"Speed {text!r} is neither a number above 0, such as 10, nor max. Try --speed 10.")
    return speed


class Pace:
    """Waits until a moment of a schedule is due. The schedule starts with the first call of `wait_until`.

    Args:
        speed: how many times as fast as scheduled; None never waits and is never behind.
        stopped: whether someone wants the waiting to end.
        now: a clock in seconds that never goes back.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        speed: float | None,
        stopped: Callable[[], bool],
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._speed = speed
        self._stopped = stopped
        self._now = now
        self._sleep = sleep
        self._start_s: float | None = None
        self.lag_s = 0.0
        """How far behind the schedule the last moment was, in seconds."""

    def wait_until(self, due_s: float) -> bool:
        """Wait until `due_s` seconds of the schedule have passed, and note the lag if they long have.

        Returns:
            False when someone wanted it to stop instead.
        """
        if self._speed is None:
            return not self._stopped()
        if self._start_s is None:
            self._start_s = self._now() - due_s / self._speed
        due_at_s = self._start_s + due_s / self._speed
        self.lag_s = max(0.0, self._now() - due_at_s)
        while not self._stopped():
            ahead_s = due_at_s - self._now()
            if ahead_s < _SHORTEST_SLEEP_S:
                return True
            self._sleep(min(ahead_s, _LONGEST_SLEEP_S))
        return False
