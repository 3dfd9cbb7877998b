"""Law 3: what is public changes by one commit, and shows no half, no double and no step back, whoever else writes."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws.commit_points import Held, crash_after, watched
from laws.market import Market, Sending, steady_trades
from laws.parts import new_cycle, one_in, run_cycle
from laws.public import Public
from laws.racing_writer import race, raced_market

from twofold.errors import Superseded
from twofold.lake import Lake

COMMITS_OF_A_CYCLE = 8
"""Commits of a cycle: raw, ledger, gaps, trades, dead letters, two views, publications."""


@pytest.fixture(scope="module")
def market() -> Market:
    """A log that goes on past the cut of `lake_begun`."""
    market = Market()
    for place, trade in enumerate(steady_trades(40)):
        market.send([trade, *[Sending(lane=0, gap_ms=0, not_a_trade=2)] * (place % 6 == 0)])
    return market


@pytest.fixture(scope="module")
def lake_begun(market: Market, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with one publication, of the first records of the log, and what a crashed cycle left in every table."""
    folder = tmp_path_factory.mktemp("lake")
    run_cycle(Lake(str(folder)), market.log, max_records=15)
    with crash_after(COMMITS_OF_A_CYCLE - 1):
        run_cycle(Lake(str(folder)), market.log, max_records=9)
    return folder


def held_cycle(public: Public, market: Market, max_records: int = 1_000) -> Held:
    return Held(lambda: run_cycle(Lake(public.lake.root), market.log, max_records=max_records))


def paused_at(lake_begun: Path, market: Market, folder: Path) -> Iterator[tuple[Public, Held]]:
    """A writer held at one of its commit points, on a lake of its own; one after the other for each there is."""
    for steps in range(1_000):
        shutil.copytree(lake_begun, folder / str(steps))
        public = Public(folder / str(steps), market)
        with watched():
            paused = held_cycle(public, market)
            for _ in range(steps):
                paused.step()
            if paused.ended:
                break
            yield public, paused
        public.check_next_cycle()
    assert steps > 2 * COMMITS_OF_A_CYCLE


def test_a_writer_that_pauses_anywhere_while_another_publishes_changes_nothing(
    lake_begun: Path, market: Market, tmp_path: Path
) -> None:
    for public, paused in paused_at(lake_begun, market, tmp_path):
        run_cycle(public.lake, market.log, max_records=12)
        public.check()
        paused.step_to_end()
        superseded = isinstance(paused.failure, Superseded)
        assert superseded or paused.failure is None
        assert public.newest().sequence == (2 if superseded else 3)


def test_a_writer_that_pauses_anywhere_while_another_crashes_takes_nothing_of_it_along(
    lake_begun: Path, market: Market, tmp_path: Path
) -> None:
    for public, paused in paused_at(lake_begun, market, tmp_path):
        crashing = new_cycle(public.lake, market.log)
        crashing.fold(crashing.ingest(max_records=12))
        paused.step_to_end()
        superseded = isinstance(paused.failure, Superseded)
        assert superseded or paused.failure is None
        public.check()
        assert public.newest().sequence == (1 if superseded else 2)


def test_a_writer_that_crashes_anywhere_leaves_nothing_behind(lake_begun: Path, market: Market, tmp_path: Path) -> None:
    for number in range(2 * COMMITS_OF_A_CYCLE):
        shutil.copytree(lake_begun, tmp_path / str(number))
        public = Public(tmp_path / str(number), market)
        with crash_after(number):
            run_cycle(Lake(public.lake.root), market.log)
        public.check()
        public.check_next_cycle()


SCHEDULES = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9)), min_size=3, max_size=14)


@settings(one_in(10))
@given(schedule=SCHEDULES, begun=st.booleans(), crashes=st.booleans())
def test_any_interleaving_of_three_writers_publishes_whole_states_one_after_the_other(
    lake_begun: Path, market: Market, schedule: Sequence[tuple[int, int]], *, begun: bool, crashes: bool
) -> None:
    with TemporaryDirectory() as name, watched():
        folder = Path(name) / "lake"
        if begun:
            shutil.copytree(lake_begun, folder)
        public = Public(folder, market)
        writers = [held_cycle(public, market, max_records=size) for size in (9, 14, 1_000)]
        for who, steps in schedule:
            for _ in range(steps):
                writers[who].step()
            public.check()
        if crashes:
            writers[0].crash()
        for writer in writers:
            writer.step_to_end()
        assert all(writer.failure is None or isinstance(writer.failure, Superseded) for writer in writers)
        public.check()
        public.check_next_cycle()


def test_two_processes_that_race_publish_whole_states_one_after_the_other(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(2)
    writers = [spawn.Process(target=race, args=(str(tmp_path / "lake"), 8, start)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    public = Public(tmp_path / "lake", raced_market())
    assert 1 <= public.newest().sequence <= 16
    public.check()
    public.check_next_cycle()
