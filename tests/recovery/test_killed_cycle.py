"""A batch cycle that is killed by the system leaves nothing that a reader or the next cycle would notice."""

from __future__ import annotations

import multiprocessing
import signal
from functools import partial
from pathlib import Path

from eventually import eventually
from laws.public import Public
from laws.racing_writer import raced_market
from recovery.doomed_writer import die_after, write_until_killed

SPAWN = multiprocessing.get_context("spawn")


def test_kills_after_any_commit_pile_up_to_nothing(tmp_path: Path) -> None:
    public = Public(tmp_path / "lake", raced_market())
    for commits in (1, 5, 24):
        doomed = SPAWN.Process(target=die_after, args=(public.lake.root, commits))
        doomed.start()
        doomed.join()
        assert doomed.exitcode == -signal.SIGKILL
        public.check()
    assert public.newest().sequence >= 2
    public.check_next_cycle()


def reached(public: Public, sequence: int) -> bool:
    return public.newest().sequence >= sequence


def test_a_kill_at_an_instant_of_chance_leaves_a_lake_that_goes_on(tmp_path: Path) -> None:
    public = Public(tmp_path / "lake", raced_market())
    for goal in (2, 4):
        doomed = SPAWN.Process(target=write_until_killed, args=(public.lake.root,))
        doomed.start()
        try:
            eventually(partial(reached, public, goal))
        finally:
            doomed.kill()
            doomed.join()
        public.check()
    public.check_next_cycle()
