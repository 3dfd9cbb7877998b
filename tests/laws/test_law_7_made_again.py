"""Law 7: any answer can be made again, from its receipt, later, byte for byte, with every cache gone."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st
from laws.holes import scripts_with_holes
from laws.market import BEGIN_MS, SOURCES, Market, Sending, sendings, steady_trades
from laws.parts import SteppedWorker, everything_merged_soon, new_cycle, one_in, run_cycle
from memory_log import MemoryReader
from vouched import given_of, vouching

from serving.answer import answer
from serving.batch_side import BatchSide, load_batch_side
from serving.query import Query
from serving.receipts.remaking import MadeAgain
from serving.seam import Pair
from serving.state import State
from twofold.errors import RecordsGone
from twofold.lake import Lake
from twofold.lane import Positions
from twofold.publication import Publications, found_lake
from twofold.views import VIEWS

MINUTE_US = 60_000_000
_BEGIN_US = BEGIN_MS * 1000

ASKED = [
    Query(view, interval_us, **about)
    for view in VIEWS.values()
    for interval_us, about in (
        (MINUTE_US, {}),
        (5 * MINUTE_US, {"symbol": "BTCUSDT", "last": 2}),
        (MINUTE_US, {"last": 1}),
        (MINUTE_US, {"venue": "simulator", "start_us": _BEGIN_US, "end_us": _BEGIN_US + 2 * MINUTE_US}),
        (2 * MINUTE_US, {"symbol": "ETHUSDT", "end_us": _BEGIN_US + 3 * MINUTE_US, "last": 1}),
    )
]
"""The shapes of questions, of both views."""


@dataclass(frozen=True)
class Given:
    """An answer as it was given: its token and its bytes, and what it was made of above the cut."""

    token: str
    bytes: MadeAgain
    above_cut: frozenset[tuple[str, int]]


class Course:
    """A market, a lake and the two sides; answers are taken and kept, to be made again later."""

    def __init__(self, folder: str) -> None:
        self.market = Market()
        self.lake = Lake(folder)
        found_lake(self.lake)
        self.answers: list[Given] = []
        self.lost_to_batch: set[tuple[str, int]] = set()
        self.worker = SteppedWorker(self.lake, self.market.log)
        self.batch = load_batch_side(self.lake, VIEWS, Publications(self.lake).newest(), None)
        self.worker.start(self.batch.publication)
        self._asked = cycle(ASKED)

    def send(self, sent: Sequence[Sending]) -> None:
        """Send records, and let the speed side read some of them."""
        self.market.send(sent)
        self.worker.step(self.sequence, [(0, 2), (2, 2), (1, 1)])

    @property
    def sequence(self) -> int:
        """Of the publication that is answered from."""
        return self.batch.publication.sequence

    def take_answers(self, count: int) -> None:
        """Ask the next questions, of both sides; of the first the batch side alone is asked too."""
        pair = Pair(self.batch, self.worker.client.follow(self.sequence, None, 0))
        asked = [next(self._asked) for _ in range(count)]
        for query, of in [*((query, pair) for query in asked), (asked[0], Pair(self.batch, mode="unused"))]:
            self._keep(query, of)

    def _keep(self, query: Query, pair: Pair) -> None:
        receipts = vouching(self.lake, sources=SOURCES)
        known = {(venue, symbol) for venue, symbol in _markets(query, pair)}
        if known:
            token = receipts.signer.sign(query, State.of(pair))
            self.answers.append(Given(token, given_of(receipts, answer(query, pair)), self._above_cut(pair)))

    def _above_cut(self, pair: Pair) -> frozenset[tuple[str, int]]:
        lost = pair.speed.header.lost if pair.speed else []
        gone = {(lane, offset) for lane, first, end in lost for offset in range(first, end)}
        cut = pair.batch.publication.cut
        above = {(lane, offset) for lane, end in pair.positions.items() for offset in range(cut.get(lane, 0), end)}
        return frozenset(above - gone)

    def publish(self, max_records: int) -> None:
        """Run a batch cycle, and fold on its base."""
        readers: list[MemoryReader] = []

        def opened(start: Positions) -> MemoryReader:
            readers.append(self.market.log.open_reader(start))
            return readers[-1]

        made = new_cycle(self.lake, self.market.log)
        made._open_reader = opened
        intake = made.ingest(max_records)
        self.batch = load_batch_side(self.lake, VIEWS, made.publish(intake, made.fold(intake)), self.batch)
        self.lost_to_batch |= {
            (gap.lane, offset) for gap in readers[0].lost for offset in range(gap.first_offset, gap.next_offset)
        }
        self.worker.start(self.batch.publication)

    def check_all(self, lake: Lake | None = None) -> None:
        """Make every answer again; those that cannot be are those whose records were gone too soon."""
        remaker = vouching(lake or self.lake, self.market.log.open_reader, sources=SOURCES).remaker
        log, cut = self.market.log, Publications(lake or self.lake).newest().cut
        for given_before in self.answers:
            gone = {
                (lane, offset)
                for lane, offset in given_before.above_cut
                if (lane, offset) in self.lost_to_batch or cut.get(lane, 0) <= offset < log.beginning(lane)
            }
            if gone:
                with pytest.raises(RecordsGone, match=min(gone)[0]):
                    remaker.make_again(given_before.token)
            else:
                assert remaker.make_again(given_before.token) == given_before.bytes

    def lose_what_can_be_lost(self) -> None:
        """Delete the views' tables, every file that is not of a newest version, and what the log need not hold."""
        shutil.rmtree(Path(self.lake.root, "views"))
        for table in ("raw", "trades", "ledger", "gaps", "gap_log", "dead_letters"):
            versions = DeltaTable(self.lake.address(table))
            versions.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
        for lane, offset in self.batch.publication.cut.items():
            self.market.log.trim(lane, offset)


def _markets(query: Query, pair: Pair) -> set[tuple[str, str]]:
    found = set(pair.batch.partials[query.view.name].markets)
    if pair.speed:
        found |= set(pair.speed.partials(query.view.name).select("venue", "symbol").unique().rows())
    return {
        (venue, symbol) for venue, symbol in found if query.venue in (None, venue) and query.symbol in (None, symbol)
    }


def walk(course: Course, script: Sequence[Sequence[Sending]], seed: int) -> None:
    """Send, answer and publish by turns; now and then retention takes something, and the speed side starts cold."""
    random = Random(seed)
    for turn in script:
        for part in (turn[:4], turn[4:]):
            course.send(part)
            course.take_answers(2)
        if random.random() < 0.3:
            lane = random.choice(course.market.log.lanes)
            cut = course.batch.publication.cut.get(lane, 0)
            course.market.log.trim(lane, min(cut + random.randint(0, 3), course.market.log.end_offsets()[lane]))
        if random.random() < 0.3:
            course.worker.start(course.batch.publication)
            course.worker.step_to_end(course.sequence)
            course.take_answers(1)
        before = course.batch
        course.publish(random.choice([3, 7, 1_000]))
        if random.random() < 0.3:
            answer_from_before(course, before)
    course.worker.step_to_end(course.sequence)
    course.take_answers(len(ASKED))


def answer_from_before(course: Course, before: BatchSide) -> None:
    """Serving has not moved yet, retention has: a cold speed side on the old base lacks what the batch side has."""
    after, course.batch = course.batch, before
    for lane, offset in after.publication.cut.items():
        course.market.log.trim(lane, offset)
    course.worker.start(before.publication)
    course.worker.step_to_end(before.publication.sequence)
    course.take_answers(1)
    course.batch = after


@settings(one_in(15))
@given(script=st.lists(st.lists(sendings(), max_size=9), min_size=2, max_size=5), seed=st.integers(0, 2**32))
def test_answers_at_any_instant_are_made_again_whatever_came_late_or_twice(
    script: list[list[Sending]], seed: int
) -> None:
    with TemporaryDirectory() as folder, everything_merged_soon():
        course = Course(folder)
        walk(course, script, seed)
        course.check_all()
        course.lose_what_can_be_lost()
        course.check_all(Lake(folder))


@settings(one_in(15))
@given(script=scripts_with_holes(turns=5), seed=st.integers(0, 2**32))
def test_finality_and_revisions_are_made_again_while_gaps_open_and_close(
    script: list[list[Sending]], seed: int
) -> None:
    with TemporaryDirectory() as folder, everything_merged_soon():
        course = Course(folder)
        walk(course, script, seed)
        course.check_all()
        course.lose_what_can_be_lost()
        course.check_all(Lake(folder))


def test_the_same_answer_has_the_same_token_and_every_other_one_another(tmp_path: Path) -> None:
    course = Course(str(tmp_path))
    trades = steady_trades(60)
    for turn in range(3):
        course.send(trades[turn * 15 :][:15])
        course.take_answers(len(ASKED))
        course.take_answers(len(ASKED))
        run_cycle(course.lake, course.market.log)
        course.batch = load_batch_side(course.lake, VIEWS, Publications(course.lake).newest(), course.batch)
        course.worker.start(course.batch.publication)
    assert len({given.token for given in course.answers}) == len({given.bytes for given in course.answers})
    assert len(course.answers) > len({given.token for given in course.answers})
