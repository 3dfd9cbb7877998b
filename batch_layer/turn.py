"""The turn: one batch cycle at a time on a local lake.

The compare-and-set of publications keeps two cycles exact anyway; taking turns keeps them from undoing each other's
work. The lock is the operating system's, so it goes with the process that held it, however that ended. Lakes on an
object store have no such lock: there the scheduler has to keep cycles apart.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twofold.errors import TurnTaken
from twofold.lake import Lake


@contextmanager
def turn(lake: Lake) -> Iterator[None]:
    """Hold the turn on a lake.

    Raises:
        TurnTaken: another cycle holds it.
    """
    if not lake.is_local:
        yield
        return
    path = Path(lake.root) / ".cycle.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TurnTaken(
                f"Another batch cycle is at work on {lake.root}. Nothing to do: the next cycle takes in what it leaves."
            ) from None
        yield
