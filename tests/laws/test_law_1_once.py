"""Law 1: no trade below the positions is missing or counted twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from laws.commit_points import crash_after
from laws.market import TOPIC, Market, Sending, sendings
from laws.parts import (
    SteppedWorker,
    check_accounts,
    check_rows,
    check_tables,
    everything_merged_soon,
    one_in,
    run_cycle,
)
from memory_log import Poll

from serving.batch_side import load_batch_side
from serving.speed_side import SpeedSide
from twofold.lake import Lake
from twofold.lane import Positions
from twofold.publication import Publications, found_lake
from twofold.views import VIEWS

NO_CRASH = 10_000
POLL = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), max_size=3)


@dataclass(frozen=True)
class Turn:
    """What happens from one batch cycle to the next.

    Records are sent, each base held is read on by some micro-batches and asked, a cycle runs or crashes, and a fold on
    the newest base is started or not.
    """

    sent: list[Sending] = field(default_factory=list)
    micro_batches: list[Poll] = field(default_factory=list)
    asked: bool = False
    max_records: int = 1_000
    cycle_polls: list[Poll] = field(default_factory=list)
    tries: int = 1
    crash: int = NO_CRASH
    starts: bool = True
    restarts: bool = False


TURNS = st.lists(
    st.builds(
        Turn,
        sent=st.lists(sendings(otherwise=True), min_size=7, max_size=12),
        micro_batches=st.lists(POLL, max_size=4),
        asked=st.booleans(),
        max_records=st.sampled_from([5, 1_000]),
        cycle_polls=st.lists(POLL, max_size=2),
        tries=st.sampled_from([1, 1, 2]),
        crash=st.one_of(st.just(NO_CRASH), st.just(NO_CRASH), st.integers(0, 10)),
        starts=st.sampled_from([True, True, False]),
        restarts=st.sampled_from([True, False, False]),
    ),
    min_size=4,
    max_size=7,
)


class Run:
    """A log, a lake, and a speed worker that holds up to two bases; what is asked is compared with the oracle."""

    def __init__(self, folder: str) -> None:
        self.market = Market()
        self._lake = Lake(folder)
        found_lake(self._lake)
        self._publications = Publications(self._lake)
        self._worker = SteppedWorker(self._lake, self.market.log)
        self._batch = {0: load_batch_side(self._lake, VIEWS, self._publications.newest(), None)}
        self._speed: dict[int, SpeedSide] = {}
        self._start_newest()

    def take(self, turn: Turn) -> None:
        """Let a turn happen."""
        self.market.send(turn.sent)
        for sequence in self._worker.held:
            for poll in turn.micro_batches:
                self._worker.step(sequence, poll)
            if turn.asked:
                self.ask(sequence, intervals_s=(300,))
        self._cycle(turn)
        if turn.restarts:
            self._worker.start(self._batch[self._worker.held[-1]].publication)
        if turn.starts:
            self._start_newest()

    def end(self) -> None:
        """Read everything on every base, then take everything in, and ask each time."""
        for sequence in self._worker.held:
            self._worker.step_to_end(sequence)
            self.ask(sequence, intervals_s=(60, 86_400))
        self._cycle(Turn())
        self._start_newest()
        self._worker.step_to_end(self._worker.held[-1])
        self.ask(self._worker.held[-1], intervals_s=(60, 300))
        newest = self._batch[max(self._batch)].publication
        check_tables(self._lake, newest, self.market.oracle(), self._cuts(newest.sequence))

    def ask(self, sequence: int, intervals_s: tuple[int, ...]) -> None:
        """Compare what is answered on one base with the oracle, with and without the speed side."""
        speed = self._worker.client.follow(sequence, self._speed.get(sequence), 0)
        self._speed[sequence] = speed
        oracle, cuts = self.market.oracle(), self._cuts(sequence)
        check_rows(self._batch[sequence], speed, oracle, cuts, intervals_s)
        check_rows(self._batch[sequence], None, oracle, cuts, intervals_s)
        check_accounts(self._batch[sequence], speed, oracle, cuts)

    def _cuts(self, sequence: int) -> list[Positions]:
        return [self._batch[number].publication.cut for number in range(1, sequence + 1)]

    def _cycle(self, turn: Turn) -> None:
        known = max(self._batch)
        with crash_after(turn.crash):
            run_cycle(
                self._lake,
                self.market.log,
                max_records=turn.max_records,
                polls=turn.cycle_polls,
                tries=turn.tries,
            )
        newest = self._publications.newest()
        assert newest.sequence in ((known + 1,) if turn.crash == NO_CRASH else (known, known + 1))
        self._batch[newest.sequence] = load_batch_side(self._lake, VIEWS, newest, self._batch[known])

    def _start_newest(self) -> None:
        newest = max(self._batch)
        if newest not in self._worker.held:
            self._worker.start(self._batch[newest].publication)
        for old in self._worker.held[:-2]:
            self._worker.stop(old)


@settings(one_in(6))
@given(turns=TURNS)
def test_every_answer_is_the_oracles_at_its_positions(turns: Sequence[Turn]) -> None:
    with TemporaryDirectory() as folder, everything_merged_soon():
        run = Run(folder)
        for place, turn in enumerate(turns):
            if place == 2:
                run.market.log.add_lane(f"{TOPIC}/3")
            run.take(turn)
        run.end()


@settings(one_in(10))
@given(
    sent=st.lists(st.lists(sendings(otherwise=True), min_size=4, max_size=12), min_size=2, max_size=5),
    max_records=st.sampled_from([5, 1_000]),
)
def test_of_copies_whose_bodies_differ_one_counts_on_the_batch_side_and_the_others_are_dead_letters(
    sent: Sequence[Sequence[Sending]], max_records: int
) -> None:
    market = Market()
    cuts: list[Positions] = []
    with TemporaryDirectory() as folder, everything_merged_soon():
        lake = Lake(folder)
        for turn in sent:
            market.send(turn)
            publication = run_cycle(lake, market.log, max_records=max_records)
            cuts.append(publication.cut)
            batch = load_batch_side(lake, VIEWS, publication, None)
            check_rows(batch, None, market.oracle(), cuts)
            check_accounts(batch, None, market.oracle(), cuts)
            check_tables(lake, publication, market.oracle(), cuts)
