"""The turn: one batch cycle at a time on a local lake.

The compare-and-set of publications keeps two cycles exact anyway; taking turns keeps them from undoing each other's
work. The lock is the operating system's, so it goes with the process that held it, however that ended. Lakes on an
object store have no such lock: there the scheduler has to keep cycles apart.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep

from twofold.errors import TurnTaken
from twofold.lake import Lake

PATIENCE_S = 300.0
"""Seconds that a cycle is waited for."""

_LOOK_S = 0.1


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


@contextmanager
def turn_soon(lake: Lake, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Hold the turn on a lake as soon as a cycle that is at work has ended.

    Raises:
        TurnTaken: cycles held it for so many seconds.
    """
    until_s = monotonic() + patience_s
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(turn(lake))
                break
            except TurnTaken:
                if monotonic() >= until_s:
                    raise TurnTaken(
                        f"Batch cycles have been at work on {lake.root} for {patience_s:.0f} s, so nothing was "
                        "changed. Try again, or stop them (`twofold up`, or the deployment) for a moment."
                    ) from None
                sleep(_LOOK_S)
        yield
