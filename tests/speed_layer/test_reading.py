"""Reading for one base, thread and all, from a log in memory."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from eventually import eventually
from memory_log import Faucet, MemoryLog, MemoryReader
from small_market import LANES, time_us, trade_value

from speed_layer.base import Base
from speed_layer.base_fold import BaseFold
from speed_layer.reading import Reading
from twofold.account import Account
from twofold.errors import EventLogUnreachable, LogTruncated
from twofold.lane import Positions
from twofold.records import Lost, OpenReader, RecordBatch
from twofold.source import SHIPPED_SOURCES
from twofold.views import VIEWS


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog(LANES)


class Memory:
    """How the memory stands."""

    def __init__(self) -> None:
        self.is_full = False

    def __call__(self) -> bool:
        return self.is_full


@pytest.fixture
def memory() -> Memory:
    return Memory()


def add_trades(log: MemoryLog, count: int, lane: str = LANES[0]) -> None:
    for _ in range(count):
        trade_id = sum(log.end_offsets().values())
        log.append(lane, trade_value("10:00:00", trade_id), timestamp_ms=time_us("10:00:00") // 1000)


def fold_on(base: Base) -> BaseFold:
    return BaseFold(base, VIEWS, SHIPPED_SOURCES, "simulator")


@contextmanager
def reads(
    open_reader: OpenReader, memory: Callable[[], bool], base: Base | None = None, predecessor: Reading | None = None
) -> Iterator[Reading]:
    reading = Reading(fold_on(base or Base()), open_reader, memory, predecessor)
    reading.start()
    try:
        yield reading
    finally:
        reading.stop()
        reading.join()


def positions(reading: Reading) -> Positions:
    return reading.fold.snapshot.positions


def trades(reading: Reading) -> int:
    return int(reading.fold.snapshot.logs["bars"].since(0)["trades"].sum())


def test_reading_begins_at_the_cut(log: MemoryLog, memory: Memory) -> None:
    add_trades(log, 5)
    add_trades(log, 2, LANES[1])
    with reads(log.open_reader, memory, Base(cut={LANES[0]: 3})) as reading:
        eventually(lambda: positions(reading) == {LANES[0]: 5, LANES[1]: 2})
        assert trades(reading) == 4


def test_it_catches_up_with_the_end_that_the_log_had_at_the_start(log: MemoryLog, memory: Memory) -> None:
    faucet = Faucet(log)
    add_trades(log, 3)
    with reads(faucet.open_reader, memory) as reading:
        eventually(lambda: reading.ends)
        add_trades(log, 3)
        faucet.let_through(2)
        eventually(lambda: positions(reading).get(LANES[0]) == 2)
        assert reading.state == "catching_up"
        faucet.let_through(1)
        eventually(lambda: reading.state == "live")
        assert positions(reading)[LANES[0]] == 3
        eventually(lambda: reading.ends[LANES[0]] == 6)


def test_a_log_without_news_is_caught_up_with_at_once(log: MemoryLog, memory: Memory) -> None:
    with reads(log.open_reader, memory) as reading:
        eventually(lambda: reading.state == "live")


def test_at_its_memory_bound_it_reads_no_more_and_the_lag_shows_until_there_is_room(
    log: MemoryLog, memory: Memory
) -> None:
    add_trades(log, 2)
    with reads(log.open_reader, memory) as reading:
        eventually(lambda: reading.state == "live")
        memory.is_full = True
        eventually(lambda: reading.state == "paused")
        add_trades(log, 100)
        eventually(lambda: reading.ends[LANES[0]] == 102)
        assert positions(reading)[LANES[0]] == 2
        assert trades(reading) == 2
        memory.is_full = False
        eventually(lambda: reading.state == "live" and positions(reading)[LANES[0]] == 102)
        assert trades(reading) == 102


def test_a_first_reading_pauses_at_the_bound_before_it_has_caught_up(log: MemoryLog, memory: Memory) -> None:
    faucet = Faucet(log)
    add_trades(log, 10)
    with reads(faucet.open_reader, memory) as reading:
        faucet.let_through(4)
        eventually(lambda: positions(reading).get(LANES[0]) == 4)
        memory.is_full = True
        eventually(lambda: reading.paused)
        assert reading.state == "catching_up"
        faucet.let_through(6)
        memory.is_full = False
        eventually(lambda: reading.state == "live")


def test_one_that_takes_the_place_of_a_paused_one_goes_as_far_as_that_and_no_further(
    log: MemoryLog, memory: Memory
) -> None:
    add_trades(log, 5)
    with reads(log.open_reader, memory) as first:
        eventually(lambda: first.state == "live")
        memory.is_full = True
        eventually(lambda: first.paused)
        add_trades(log, 20)
        faucet = Faucet(log)
        with reads(faucet.open_reader, memory, Base(sequence=1, cut={LANES[0]: 2}), predecessor=first) as second:
            faucet.let_through(2)
            eventually(lambda: positions(second)[LANES[0]] == 4)
            assert second.state == "catching_up"
            faucet.let_through(1)
            eventually(lambda: second.state == "paused")
            assert positions(second)[LANES[0]] == 5
            faucet.let_through(20)
            memory.is_full = False
            eventually(lambda: positions(second)[LANES[0]] == 25)


def test_a_broker_that_does_not_answer_is_waited_for(log: MemoryLog, memory: Memory) -> None:
    class Moody(MemoryReader):
        moods = iter([True, False, True, True])

        def poll(self, timeout_ms: int, max_records: int) -> list[RecordBatch]:
            if next(self.moods, False):
                raise EventLogUnreachable("Nobody is in.")
            return super().poll(timeout_ms, max_records)

    add_trades(log, 3)
    with reads(lambda start: Moody(log, start, []), memory) as reading:
        eventually(lambda: reading.state == "live")
        add_trades(log, 3)
        eventually(lambda: positions(reading)[LANES[0]] == 6)
        assert trades(reading) == 6
        assert reading.failure is None


@pytest.mark.parametrize("error", [LogTruncated("Records are gone."), ZeroDivisionError()])
def test_any_other_failure_ends_it_and_is_kept(log: MemoryLog, memory: Memory, error: Exception) -> None:
    closed = threading.Event()

    class Failing(MemoryReader):
        def poll(self, timeout_ms: int, max_records: int) -> list[RecordBatch]:  # noqa: ARG002  # the protocol's
            raise error

        def close(self) -> None:
            closed.set()

    with reads(lambda start: Failing(log, start, []), memory) as reading:
        reading.join(timeout=60)
        assert not reading.is_alive()
        assert reading.failure is error
        assert closed.is_set()


def test_a_broker_that_is_away_at_the_start_is_a_failure(memory: Memory) -> None:
    def open_reader(start: Positions) -> MemoryReader:
        raise EventLogUnreachable(f"Nobody is in to read from {start}.")

    with reads(open_reader, memory) as reading:
        reading.join(timeout=60)
        assert isinstance(reading.failure, EventLogUnreachable)


def test_offsets_without_records_are_moved_over(log: MemoryLog, memory: Memory) -> None:
    add_trades(log, 1)
    log.append_marker(LANES[0])
    log.append_marker(LANES[1])
    with reads(log.open_reader, memory) as reading:
        eventually(lambda: reading.state == "live")
        assert positions(reading) == {LANES[0]: 2, LANES[1]: 1}
        assert reading.fold.snapshot.accounts == {LANES[0]: Account(1, folded=1)}


def test_what_retention_took_is_counted_as_lost(log: MemoryLog, memory: Memory) -> None:
    add_trades(log, 10)
    log.trim(LANES[0], 4)
    with reads(log.open_reader, memory) as reading:
        eventually(lambda: reading.state == "live")
        assert reading.fold.snapshot.accounts == {LANES[0]: Account(read=10, folded=6, lost=4)}
        assert reading.fold.snapshot.lost == (Lost(LANES[0], 0, 4),)


def test_a_lane_that_is_added_is_read_from_its_beginning(log: MemoryLog, memory: Memory) -> None:
    with reads(log.open_reader, memory) as reading:
        eventually(lambda: reading.state == "live")
        added = LANES[0].replace("/0", "/2")
        log.add_lane(added)
        add_trades(log, 3, added)
        eventually(lambda: positions(reading).get(added) == 3)
