"""The speed side made again, from `raw` where that reaches and from the log for the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from laws.commit_points import Crash, at_commit
from laws.market import SOURCES
from laws.parts import SteppedWorker
from memory_log import MemoryLog
from small_market import LANES, SmallMarket
from vouched import given_of, vouching

from serving.answer import answer
from serving.batch_side import load_batch_side
from serving.query import Query
from serving.receipts import above_cut as module
from serving.receipts.above_cut import _less
from serving.receipts.remaking import MadeAgain
from serving.seam import Pair
from twofold.errors import EventLogUnreachable, RecordsGone, TopicReplaced
from twofold.lane import Positions
from twofold.log_identity import LogIdentity
from twofold.publication import Publications, publish
from twofold.records import Lost, RecordReader
from twofold.tables import RAW
from twofold.views import VIEWS

QUERY = Query(VIEWS["bars"], 60_000_000)


class Answered:
    """An answer of publication 1 with records of both lanes above its cut, two of them repeats."""

    def __init__(self, folder: Path) -> None:
        self.market = SmallMarket(folder)
        self.market.trade("10:00:01", trade_id=1)
        self.market.cycle()
        self.market.trade("10:00:02", trade_id=2)
        self.market.trade("10:00:01", trade_id=1, lane=1)
        self.market.trade("10:00:03", trade_id=3, lane=1)
        self.market.trade("10:00:02", trade_id=2, lane=1)
        self.market.poison()
        self.given = self.ask()

    @property
    def log(self) -> MemoryLog:
        return self.market.log

    def again(self, open_reader: object = None) -> MadeAgain:
        """The answer that was given, made again."""
        reader = open_reader or self.log.open_reader
        return vouching(self.market.lake, reader, sources=SOURCES).remaker.make_again(
            orjson.loads(self.given.receipt)["token"]
        )  # type: ignore[arg-type]

    def ask(self) -> MadeAgain:
        """The answer of now, on publication 1."""
        batch = load_batch_side(self.market.lake, VIEWS, Publications(self.market.lake).newest(), None)
        worker = SteppedWorker(self.market.lake, self.log)
        worker.start(batch.publication)
        worker.step_to_end(1)
        return given_of(
            vouching(self.market.lake, sources=SOURCES), answer(QUERY, Pair(batch, worker.client.follow(1, None, 0)))
        )


@pytest.fixture
def answered(tmp_path: Path) -> Answered:
    return Answered(tmp_path)


def test_from_the_log_alone(answered: Answered) -> None:
    assert answered.again() == answered.given
    assert orjson.loads(answered.given.rows)[0]["trades"] == 3


def test_from_raw_alone_with_everything_taken_from_the_log(answered: Answered) -> None:
    answered.market.cycle()
    for lane, end in answered.log.end_offsets().items():
        answered.log.trim(lane, end)
    assert answered.again(_no_reader) == answered.given


def test_from_raw_as_far_as_that_reaches_and_from_the_log_for_the_rest(answered: Answered) -> None:
    answered.market.cycle(max_records=2)
    for lane, end in Publications(answered.market.lake).newest().cut.items():
        answered.log.trim(lane, end)
    assert answered.again() == answered.given


def test_what_came_after_the_positions_does_not_matter(answered: Answered) -> None:
    answered.market.trade("10:00:09", trade_id=9)
    answered.market.trade("10:00:03", trade_id=3)
    assert answered.again() == answered.given
    answered.market.cycle()
    assert answered.again() == answered.given


@pytest.mark.parametrize("is_taken_in", [False, True])
def test_the_copy_that_arrived_first_counts_though_it_was_read_last(answered: Answered, *, is_taken_in: bool) -> None:
    answered.market.trade("10:00:05", trade_id=5, price="7", arrives="10:00:09")
    answered.market.trade("10:00:05", trade_id=5, price="9", arrives="10:00:06", lane=1)
    answered.given = answered.ask()
    assert orjson.loads(answered.given.rows)[0]["close"] == "9.00000000"
    if is_taken_in:
        answered.market.cycle()
    assert answered.again() == answered.given


def test_what_was_lost_to_the_answer_stays_out_of_it_though_a_killed_cycle_had_kept_it(answered: Answered) -> None:
    before = answered.given
    with pytest.raises(Crash), at_commit("after", RAW.name, _crash):
        answered.market.cycle()
    answered.log.trim(LANES[1], 2)
    answered.given = answered.ask()
    assert orjson.loads(answered.given.receipt)["lost"] == [{"lane": LANES[1], "first_offset": 0, "next_offset": 2}]
    assert answered.again() == answered.given
    answered.market.cycle()
    assert answered.again() == answered.given != before
    answered.given = before
    assert answered.again() == before


def test_what_was_not_taken_in_of_a_lane_that_was_closed_is_gone(answered: Answered) -> None:
    newest = Publications(answered.market.lake).newest()
    log, cut = LogIdentity(newest.log.cluster_id, "made-anew"), {**newest.cut, "made-anew/0": 0}
    publish(answered.market.lake, replace(newest, sequence=2, cut=cut, log=log))
    with pytest.raises(RecordsGone, match=f"{LANES[0]} from 1 to 2.*{LANES[1]} from 0 to 2"):
        answered.again(_no_reader)


def test_nothing_is_read_for_a_lane_of_the_one_that_followed_it(answered: Answered) -> None:
    newest = Publications(answered.market.lake).newest()
    publish(answered.market.lake, replace(newest, sequence=2, cut={**newest.cut, f"{LANES[0]}~1": 0}))
    with pytest.raises(RecordsGone, match=f"gone: {LANES[0]} from 1 to 2. "):
        answered.again()


def test_another_cluster_has_the_records_no_more(answered: Answered) -> None:
    answered.log.cluster_id = "another"
    with pytest.raises(RecordsGone, match="of cluster"):
        answered.again()


def test_a_log_that_lost_its_end_has_the_records_no_more(answered: Answered) -> None:
    answered.log.truncate(LANES[0], 0)
    with pytest.raises(RecordsGone, match="cannot be read any more"):
        answered.again()


def test_offsets_that_neither_has_are_named(answered: Answered) -> None:
    answered.log.trim(LANES[1], 2)
    with pytest.raises(RecordsGone, match=f"{LANES[1]} from 0 to 1"):
        answered.again()
    answered.market.cycle()
    with pytest.raises(RecordsGone, match=f"{LANES[1]} from 0 to 1"):
        answered.again()


def test_a_topic_that_was_made_anew_has_the_records_no_more(answered: Answered) -> None:
    def replaced(start: Positions) -> RecordReader:
        raise TopicReplaced(f"another topic than that of {dict(start)}")

    with pytest.raises(RecordsGone, match="another topic"):
        answered.again(replaced)


def test_a_log_that_gives_nothing_is_not_waited_for_without_end(
    answered: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STALL_S", 0.05)
    shorter = answered.log.up_to({LANES[0]: 2, LANES[1]: 1})
    with pytest.raises(EventLogUnreachable, match="No records came"):
        answered.again(shorter.open_reader)


def test_of_a_range_what_was_lost_before_is_left_out() -> None:
    lost = [("a/0", 5, 7), ("a/0", 0, 2), ("b/0", 0, 99), ("a/0", 9, 20)]
    assert _less(Lost("a/0", 1, 12), lost) == [Lost("a/0", 2, 5), Lost("a/0", 7, 9)]
    assert _less(Lost("a/0", 10, 12), lost) == []
    assert _less(Lost("c/0", 1, 3), lost) == [Lost("c/0", 1, 3)]
    assert _less(Lost("a/0", 30, 33), lost) == [Lost("a/0", 30, 33)]


def _no_reader(start: Positions) -> RecordReader:
    raise AssertionError(f"The log was to be read from {dict(start)}.")


def _crash(table: str) -> None:
    raise Crash(table)
