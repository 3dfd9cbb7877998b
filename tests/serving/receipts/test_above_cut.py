"""The speed side made again, from `raw` where that reaches and from the log for the rest."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
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
from twofold.publication import Publications
from twofold.records import Lost, RecordReader
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
        self.given = self._ask()

    @property
    def log(self) -> MemoryLog:
        return self.market.log

    def again(self, open_reader: object = None) -> MadeAgain:
        reader = open_reader or self.log.open_reader
        return vouching(self.market.lake, reader).remaker.make_again(orjson.loads(self.given.receipt)["token"])  # type: ignore[arg-type]

    def _ask(self) -> MadeAgain:
        batch = load_batch_side(self.market.lake, VIEWS, Publications(self.market.lake).newest(), None)
        worker = SteppedWorker(self.market.lake, self.log)
        worker.start(batch.publication)
        worker.step_to_end(1)
        return given_of(vouching(self.market.lake), answer(QUERY, Pair(batch, worker.client.follow(1, None, 0))))


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
