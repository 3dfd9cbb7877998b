"""Law 1: no trade below the positions is missing or counted twice."""

from __future__ import annotations

import shutil
import tempfile
from typing import Any

import hypothesis.strategies as st
from commit_points import crash_at
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule
from market import LANES, TOPIC, Market, Sending, sendings
from memory_log import Poll
from parts import SteppedWorker, check_accounts, check_rows, cuts_up_to, everything_merged_soon, run_cycle

from serving.batch_side import BatchSide, load_batch_side
from serving.speed_side import SpeedSide
from twofold.lake import Lake
from twofold.publication import Publications, found_lake
from twofold.views import VIEWS

COMMITS_OF_A_CYCLE = 8
POLLS = st.lists(st.lists(st.tuples(st.integers(0, len(LANES)), st.integers(0, 4)), max_size=4), max_size=3)


class Once(RuleBasedStateMachine):
    """Any log, any cycles with crashes, any micro-batches on any bases: each answer is the oracle's at its positions."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.mkdtemp()
        self._soon = everything_merged_soon()
        self._soon.__enter__()
        self._lake = Lake(self._folder)
        self._market = Market()
        self._worker = SteppedWorker(self._lake, self._market.log)
        found_lake(self._lake)
        self._publications = Publications(self._lake)
        newest = self._publications.newest()
        self._batch = {0: load_batch_side(self._lake, VIEWS, newest, None)}
        self._speed: dict[int, SpeedSide] = {}
        self._worker.start(newest)

    def teardown(self) -> None:
        try:
            for sequence in self._worker.held:
                self._worker.step_to_end(sequence)
                self._answer(sequence)
        finally:
            self._soon.__exit__(None, None, None)
            shutil.rmtree(self._folder)

    @rule(sent=st.lists(sendings(), min_size=1, max_size=8))
    def send(self, sent: list[Sending]) -> None:
        self._market.send(sent)

    @precondition(lambda self: len(self._market.log.lanes) == len(LANES))
    @rule()
    def add_a_lane(self) -> None:
        self._market.log.add_lane(f"{TOPIC}/{len(LANES)}")

    @rule(
        max_records=st.sampled_from([1, 4, 1_000]),
        polls=POLLS,
        tries=st.sampled_from([1, 1, 2]),
        crash=st.one_of(st.none(), st.integers(0, 4 * COMMITS_OF_A_CYCLE)),
    )
    def cycle(self, max_records: int, polls: list[Poll], tries: int, crash: int | None) -> None:
        known = max(self._batch)
        with crash_at(10_000 if crash is None else crash):
            run_cycle(self._lake, self._market.log, max_records=max_records, polls=polls, tries=tries)
        newest = self._publications.newest()
        assert newest.sequence in ((known + 1,) if crash is None else (known, known + 1))
        self._batch[newest.sequence] = load_batch_side(self._lake, VIEWS, newest, self._batch[known])

    @rule(lag=st.integers(0, 2))
    def start_a_fold(self, lag: int) -> None:
        self._worker.start(self._batch[max(0, max(self._batch) - lag)].publication)

    @rule(data=st.data(), polls=POLLS)
    def fold_micro_batches(self, data: Any, polls: list[Poll]) -> None:
        sequence = data.draw(st.sampled_from(self._worker.held))
        for poll in polls:
            self._worker.step(sequence, poll)

    @rule(data=st.data())
    def ask(self, data: Any) -> None:
        self._answer(data.draw(st.sampled_from(self._worker.held)))

    def _answer(self, sequence: int) -> None:
        speed = self._worker.client.follow(sequence, self._speed.get(sequence), 0)
        self._speed[sequence] = speed
        oracle, cuts = self._market.oracle(), cuts_up_to(self._lake, sequence)
        check_rows(self._batch[sequence], speed, oracle, cuts)
        check_rows(self._batch[sequence], None, oracle, cuts)
        check_accounts(self._batch[sequence], None, oracle, cuts)
        check_accounts(self._batch[sequence], speed, oracle, cuts)


TestOnce = Once.TestCase
TestOnce.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
