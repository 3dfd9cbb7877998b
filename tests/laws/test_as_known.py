"""What was known: an answer as of any time is the fold of what counts and had arrived by then, and is made again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from laws.holes import scripts_with_holes
from laws.market import BEGIN_MS, SOURCES, Sending, sendings
from laws.parts import cuts_up_to, everything_merged_soon, one_in
from laws.test_law_7_made_again import Course, Given
from oracle import Oracle, OracleTrade
from vouched import given_of, vouching

from serving.query import Query
from serving.seam import Pair
from serving.state import State
from twofold.lake import Lake
from twofold.views import VIEWS

MINUTE_US = 60_000_000
_BEGIN_US = BEGIN_MS * 1000


@dataclass(frozen=True)
class Known:
    """A question for what was known, and which trades had arrived by then."""

    query: Query
    had_arrived: Callable[[OracleTrade], bool]


def as_of(view: str, interval_us: int, time_us: int) -> Known:
    """What was known at a time."""
    return Known(
        Query(VIEWS[view], interval_us, as_of_us=time_us),
        lambda trade: trade.arrival_us <= time_us,
    )


def known_after(view: str, interval_us: int, after_us: int) -> Known:
    """What was known so long after the end of each window."""
    return Known(
        Query(VIEWS[view], interval_us, known_after_us=after_us),
        lambda trade: trade.arrival_us - after_us <= (trade.event_us // interval_us + 1) * interval_us,
    )


def both(view: str, interval_us: int, time_us: int, after_us: int) -> Known:
    """What was known at a time, of what was known so long after the end of each window."""
    first, second = as_of(view, interval_us, time_us), known_after(view, interval_us, after_us)
    return Known(
        Query(VIEWS[view], interval_us, as_of_us=time_us, known_after_us=after_us),
        lambda trade: first.had_arrived(trade) and second.had_arrived(trade),
    )


class KnownCourse(Course):
    """A course whose answers are for what was known; each is compared with the oracle when it is given."""

    def ask(self, random: Random) -> None:
        """Ask what was known, of both sides and of the published one alone."""
        speed, oracle = self.worker.client.follow(self.sequence, None, 0), self.market.oracle()
        for pair in (Pair(self.batch, speed), Pair(self.batch, mode="unused")):
            self._check(random.choice(self._questions(oracle, random)), pair, oracle)

    def _questions(self, oracle: Oracle, random: Random) -> list[Known]:
        """About the arrival of some trade, and some time after the end of windows."""
        arrivals = [trade.arrival_us for trade in oracle.usable] or [_BEGIN_US]
        time_us = random.choice(arrivals) + random.choice([-1, 0, 0, 1])
        view, interval_us = random.choice([*VIEWS]), random.choice([1, 2, 5]) * MINUTE_US
        after_us = random.choice([0, 2_000_000, MINUTE_US, 200_000_000])
        return [
            as_of(view, interval_us, time_us),
            known_after(view, interval_us, after_us),
            both(view, interval_us, time_us, after_us),
        ]

    def _check(self, known: Known, pair: Pair, oracle: Oracle) -> None:
        receipts = vouching(self.lake, self.market.log.open_reader, sources=SOURCES)
        query, state = known.query, State.of(pair)
        found = receipts.remaker.as_known(query, state)
        cuts = cuts_up_to(self.lake, pair.batch.publication.sequence)
        interval_s = query.interval_us // 1_000_000
        rows = oracle.rows(query.view.name, interval_s, pair.positions, cuts, known.had_arrived)
        assert found.json_rows() == rows
        # The newest windows alone are looked for from the end.
        newest = {(row["venue"], row["symbol"]): row for row in rows}
        assert receipts.remaker.as_known(replace(query, last=1), state).json_rows() == [*newest.values()]
        self.answers.append(Given(receipts.signer.sign(query, state), given_of(receipts, found), frozenset()))


def walk(course: KnownCourse, script: Sequence[Sequence[Sending]], seed: int) -> None:
    """Send, ask and publish by turns; at last all is below the cut."""
    random = Random(seed)
    for turn in script:
        course.send(turn)
        course.ask(random)
        course.publish(random.choice([3, 7, 1_000]))
        course.worker.step_to_end(course.sequence)
        course.ask(random)
    course.publish(1_000_000)


@settings(one_in(20))
@given(
    script=st.lists(st.lists(sendings(otherwise=True), max_size=9), min_size=2, max_size=4), seed=st.integers(0, 2**32)
)
def test_what_was_known_at_any_time_is_what_counts_and_had_arrived_and_is_made_again(
    script: list[list[Sending]], seed: int
) -> None:
    with TemporaryDirectory() as folder, everything_merged_soon():
        course = KnownCourse(folder)
        walk(course, script, seed)
        course.check_all()
        course.lose_what_can_be_lost()
        course.check_all(Lake(folder))


@settings(one_in(30))
@given(script=scripts_with_holes(turns=4), seed=st.integers(0, 2**32))
def test_how_final_it_is_follows_the_gaps(script: list[list[Sending]], seed: int) -> None:
    with TemporaryDirectory() as folder, everything_merged_soon():
        course = KnownCourse(folder)
        walk(course, script, seed)
        course.check_all()
