"""A part: one program among those that run together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """One program to keep running.

    Attributes:
        name: a word; also the name of its log.
        command: the program and its arguments.
        needs: names of the parts that must be ready before it is started.
        is_ready: tells whether others can use it; None: as soon as it is steady.
        endless: an end is a failure; otherwise an end with exit code 0 is the end of its work.
        steady_after_s: seconds after which it is started again at once when it ends, and not after a growing pause.
        stands_back: it takes what processor time the others leave.
        stop_within_s: seconds from asking it to stop to killing it.
    """

    name: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    is_ready: Callable[[], bool] | None = None
    endless: bool = True
    steady_after_s: int = 5
    stands_back: bool = False
    stop_within_s: int = 10
