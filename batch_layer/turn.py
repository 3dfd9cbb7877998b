"""The turn: one batch cycle at a time on a local lake.

The compare-and-set of publications keeps two cycles exact anyway; taking turns keeps them from undoing each other's
work. The lock is the operating system's, so it goes with the process that held it, however that ended. Lakes on an
object store have no such lock: there the scheduler has to keep cycles apart.

A second lock is the place of whoever is next: it is held while waiting, so that one who has had a turn and wants
another comes after one who waits, as a live cycle does for the many of a backfill.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from time import monotonic, sleep

from twofold.errors import TurnTaken
from twofold.lake import Lake

_LOOK_S = 0.02


@contextmanager
def turn(lake: Lake, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the turn on a lake.

    Args:
        lake: which.
        wait_s: how long to wait for it.

    Raises:
        TurnTaken: another cycle holds it, or one is before this one, and the time is up.
    """
    if not lake.is_local:
        yield
        return
    folder = Path(lake.root)
    folder.mkdir(parents=True, exist_ok=True)
    until_s = monotonic() + wait_s
    with (folder / ".cycle.lock").open("w") as file:
        with (folder / ".cycle.next").open("w") as place:
            if not (_locks(place, until_s) and _locks(file, until_s)):
                raise TurnTaken(
                    f"Another batch cycle is at work on {lake.root}. Nothing to do: the next cycle takes in what it "
                    "leaves."
                )
        yield


def _locks(file: TextIOWrapper, until_s: float) -> bool:
    """Lock a file, trying until a time on the monotonic clock; it stays locked until it is closed."""
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if monotonic() >= until_s:
                return False
            sleep(_LOOK_S)
        else:
            return True
