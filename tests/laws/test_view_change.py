"""A view is changed while it is served: before, meanwhile and after, every answer is the one of its own definition."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws.changed_bars import CHANGED_BARS
from laws.commit_points import Held, crash_after, watched
from laws.holes import scripts_with_holes
from laws.market import SOURCES, Market, Sending, sendings, steady_trades
from laws.parts import SteppedWorker, cuts_up_to, everything_merged_soon, one_in, rows_of, run_cycle
from vouched import given_of, vouching

from batch_layer.view_change.building import build
from batch_layer.view_change.changing import Changed, edition_of
from batch_layer.view_change.promotion import promote, retire
from serving.answer import answer
from serving.batch_side import load_batch_side
from serving.query import Query
from serving.receipts.remaking import MadeAgain
from serving.seam import Pair
from serving.state import State
from twofold.errors import Superseded, ViewRetired
from twofold.lake import Lake
from twofold.publication import Publication, Publications, found_lake
from twofold.views import VIEWS

BARS = VIEWS["bars"]
ORACLES = {BARS.hash: "bars", CHANGED_BARS.hash: "changed bars", VIEWS["taker_flow"].hash: "taker_flow"}
"""What the oracle calls each definition."""

INTERVALS_S = {BARS.hash: (60, 300), CHANGED_BARS.hash: (30, 60, 300), VIEWS["taker_flow"].hash: (60,)}


class Course:
    """A lake, a speed worker and serving, while views of the lake are changed."""

    def __init__(self, folder: str, market: Market | None = None) -> None:
        self.market = market or Market()
        self.lake = Lake(folder)
        found_lake(self.lake)
        self.worker = SteppedWorker(self.lake, self.market.log)
        self.answers: list[tuple[str, str, MadeAgain]] = []
        self.batch = load_batch_side(self.lake, VIEWS, self.newest(), None)
        self.worker.start(self.batch.publication)

    def newest(self) -> Publication:
        return Publications(self.lake).newest()

    def send(self, sent: Sequence[Sending]) -> None:
        """Send records; the speed worker reads them on the base that is answered from."""
        self.market.send(sent)
        self.worker.step_to_end(self.batch.publication.sequence)

    def cycle(self, max_records: int = 1_000_000) -> None:
        """Run a batch cycle, and move on to what it published."""
        run_cycle(self.lake, self.market.log, max_records=max_records)
        self.move()

    def move(self) -> None:
        """Move to the newest publication, as serving does, with the speed worker that starts there."""
        publication = self.newest()
        if publication.sequence != self.batch.publication.sequence:
            self.worker.start(publication)
            self.worker.step_to_end(publication.sequence)
            self.batch = load_batch_side(self.lake, VIEWS, publication, self.batch)

    def build(self) -> Changed:
        return build(self.lake, CHANGED_BARS)

    def promote(self, its_hash: str = CHANGED_BARS.hash) -> Changed:
        return promote(self.lake, edition_of(self.newest(), "bars", its_hash))

    def retire(self, its_hash: str = BARS.hash) -> Changed:
        return retire(self.lake, edition_of(self.newest(), "bars", its_hash))

    def pairs(self) -> list[Pair]:
        speed = self.worker.client.follow(self.batch.publication.sequence, None, 0)
        return [Pair(self.batch, speed), Pair(self.batch, mode="unused")]

    def check(self) -> None:
        """Every row of every view that is served is the oracle's for its definition, with both sides and with one."""
        oracle, cuts = self.market.oracle(), cuts_up_to(self.lake, self.batch.publication.sequence)
        for pair in self.pairs():
            assert pair.batch.views.keys() == VIEWS.keys()
            for name, view in pair.batch.views.items():
                for interval_s in INTERVALS_S[view.hash]:
                    expected = oracle.rows(ORACLES[view.hash], interval_s, pair.positions, cuts)
                    assert rows_of(name, interval_s, pair) == expected

    def take_answers(self) -> None:
        """Keep answers of the view that changes, to be made again later."""
        receipts = vouching(self.lake, sources=SOURCES)
        for pair in self.pairs():
            view = pair.batch.views["bars"]
            query = Query(view, view.window_us)
            token = receipts.signer.sign(query, State.of(pair))
            self.answers.append((view.hash, token, given_of(receipts, answer(query, pair))))

    def check_receipts(self) -> None:
        """Every answer is made again, but for those of a definition that was retired, which say so."""
        remaker = vouching(self.lake, self.market.log.open_reader, sources=SOURCES).remaker
        retired = {each.hash: each for each in self.newest().editions if not each.is_carried}
        for its_hash, token, given_then in self.answers:
            if its_hash in retired:
                with pytest.raises(ViewRetired, match=f"retired by publication {retired[its_hash].since}"):
                    remaker.make_again(token)
            else:
                assert remaker.make_again(token) == given_then


def states(publication: Publication) -> dict[str, str]:
    """What is done with each definition of the view that changes."""
    return {each.hash: each.state for each in publication.editions if each.name == "bars"}


STEPS: Sequence[Callable[[Course], object]] = (
    Course.build,
    Course.promote,
    lambda course: course.promote(BARS.hash),
    Course.promote,
    Course.retire,
    lambda course: build(course.lake, BARS),
    lambda course: course.promote(BARS.hash),
    lambda course: course.retire(CHANGED_BARS.hash),
)
"""A view changed, changed back and again, its old definition retired, built anew, and the other one retired."""


def walk(course: Course, script: Sequence[Sequence[Sending]], pauses: Sequence[int]) -> None:
    """Change the view step by step, with records and cycles in between."""
    course.send(steady_trades(4))
    course.cycle()
    turns = iter(script)
    for step, pause in zip(STEPS, pauses, strict=True):
        for turn in [next(turns, []) for _ in range(pause)]:
            course.send(turn[:4])
            course.check()
            course.take_answers()
            course.cycle(max_records=9)
            course.send(turn[4:])
            course.check()
        step(course)
        course.check()
        course.move()
        course.check()
        course.take_answers()
        course.check_receipts()
    course.cycle()
    course.check()
    course.check_receipts()
    assert states(course.newest()) == {BARS.hash: "served", CHANGED_BARS.hash: "retired"}


PAUSES = st.lists(st.integers(0, 2), min_size=len(STEPS), max_size=len(STEPS))


@settings(one_in(50))
@given(script=st.lists(st.lists(sendings(), max_size=9), min_size=4, max_size=8), pauses=PAUSES)
def test_every_answer_is_of_its_own_definition_whatever_comes_late_or_twice(
    script: list[list[Sending]], pauses: list[int]
) -> None:
    with TemporaryDirectory() as folder, everything_merged_soon():
        walk(Course(folder), script, pauses)


@settings(one_in(50))
@given(script=scripts_with_holes(turns=8), pauses=PAUSES)
def test_finality_and_revisions_are_as_if_the_definition_had_always_been_there(
    script: list[list[Sending]], pauses: list[int]
) -> None:
    with TemporaryDirectory() as folder, everything_merged_soon():
        walk(Course(folder), script, pauses)


def begun(folder: Path) -> Course:
    """A course with trades of two days, published by several cycles, and some that are not published."""
    course = Course(str(folder))
    trades = steady_trades(90)
    for turn in range(3):
        course.send(trades[turn * 30 :][:30])
        course.cycle(max_records=25)
    return course


@pytest.mark.parametrize("every", [1, 3])
def test_cycles_that_publish_between_any_commits_of_a_build_are_caught_up_with(tmp_path: Path, every: int) -> None:
    course = begun(tmp_path)
    late = iter(steady_trades(150)[100:])
    with watched():
        held = Held(course.build)
        steps = 0
        while not held.ended:
            held.step()
            steps += 1
            if steps % every == 0 and (sent := next(late, None)) is not None:
                course.send([sent])
                course.cycle()
                course.check()
    assert held.failure is None or isinstance(held.failure, Superseded)
    course.build()
    course.promote()
    course.move()
    course.check()
    course.cycle()
    course.check()


def test_killed_after_any_commit_each_command_leaves_what_was_public_and_is_gone_on_with(tmp_path: Path) -> None:
    begun(tmp_path / "begun")
    market = Market()
    market.send(steady_trades(90))
    kills = 0
    for command in range(3):
        number, was_killed = 0, True
        while was_killed:
            folder = tmp_path / f"{command}-{number}"
            shutil.copytree(tmp_path / "begun", folder)
            course = Course(str(folder), market)
            course.move()
            commands: list[Callable[[], Changed]] = [course.build, course.promote, course.retire]
            for before in commands[:command]:
                before()
            before_it = course.newest()
            done: list[Changed] = []
            with crash_after(number):
                done.append(commands[command]())
            was_killed = not done
            kills += was_killed
            assert course.newest().sequence in {before_it.sequence, before_it.sequence + 1}
            course.move()
            course.check()
            course.cycle(max_records=8)
            course.check()
            for each in commands[command:]:
                each()
            course.move()
            course.check()
            course.cycle()
            course.check()
            assert states(course.newest()) == {CHANGED_BARS.hash: "served", BARS.hash: "retired"}
            number += 1
    assert kills >= 8


def test_each_command_changes_nothing_when_it_is_repeated(tmp_path: Path) -> None:
    course = begun(tmp_path)
    for command in (course.build, course.promote, course.retire):
        first, again = command(), command()
        assert (first.is_new, again.is_new) == (True, False)
        assert again.publication == first.publication
        assert again.edition == first.edition
