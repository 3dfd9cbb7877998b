"""A writer that is killed as a process is killed: at once, with nothing tidied up."""

from __future__ import annotations

import os
import signal

from laws.commit_points import telling, watched
from laws.parts import run_cycle
from laws.racing_writer import raced_market

from twofold.lake import Lake


def die_after(folder: str, commits: int) -> None:
    """Run small cycles one after the other, and kill this process after so many commits to any table."""
    done = 0

    def hook(point: str) -> None:
        nonlocal done
        done += point in ("write", "restore")
        if done >= commits:
            os.kill(os.getpid(), signal.SIGKILL)

    market = raced_market()
    with watched(), telling(hook):
        while True:
            run_cycle(Lake(folder), market.log, max_records=15)


def write_until_killed(folder: str) -> None:
    """Run small cycles for as long as this process lives."""
    market = raced_market()
    while True:
        run_cycle(Lake(folder), market.log, max_records=2)
