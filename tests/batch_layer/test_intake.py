"""The intake: what was in the log when the cycle looked, or so many records of it."""

from __future__ import annotations

from itertools import count

import pytest
from memory_log import MemoryLog, MemoryReader, Poll

from batch_layer.intake import STALL_S, Intake, take_in
from twofold.errors import LaneStalled
from twofold.lane import Positions
from twofold.records import RecordBatch

LANES = ("t/0", "t/1")


@pytest.fixture
def log() -> MemoryLog:
    """Five records in the first lane, three in the second."""
    log = MemoryLog(LANES)
    for number in range(5):
        log.append("t/0", b"%d" % number, timestamp_ms=0)
    for number in range(3):
        log.append("t/1", b"%d" % number, timestamp_ms=0)
    return log


def taken(log: MemoryLog, *polls: Poll, start: Positions | None = None, max_records: int = 1_000) -> Intake:
    return take_in(log.open_reader(start or {}, polls), max_records)


def test_everything_from_the_cut_on_is_taken_in(log: MemoryLog) -> None:
    intake = taken(log, start={"t/0": 2})
    assert intake.cut == {"t/0": 5, "t/1": 3}
    assert intake.read == {"t/0": 3, "t/1": 3}
    assert [(batch.lane, batch.offsets) for batch in intake.batches] == [("t/0", [2, 3, 4]), ("t/1", [0, 1, 2])]


def test_a_log_without_news_leaves_the_cut_where_it_is(log: MemoryLog) -> None:
    intake = taken(log, start={"t/0": 5, "t/1": 3})
    assert (intake.cut, intake.records, intake.batches) == ({"t/0": 5, "t/1": 3}, 0, [])


def test_a_lane_stays_in_order_however_it_is_polled(log: MemoryLog) -> None:
    intake = taken(log, [(1, 1), (0, 2)], [(0, 1)], [], [(1, 1)])
    offsets = {lane: [o for batch in intake.batches if batch.lane == lane for o in batch.offsets] for lane in LANES}
    assert offsets == {"t/0": [0, 1, 2, 3, 4], "t/1": [0, 1, 2]}


@pytest.mark.parametrize(("most", "cut"), [(1, {"t/0": 1, "t/1": 0}), (6, {"t/0": 5, "t/1": 1})])
def test_no_more_is_taken_in_than_asked_for(log: MemoryLog, most: int, cut: dict[str, int]) -> None:
    intake = taken(log, max_records=most)
    assert intake.cut == cut
    assert intake.records == most


def test_what_comes_while_reading_waits_for_the_next_cycle(log: MemoryLog) -> None:
    class Growing(MemoryReader):
        def poll(self, timeout_ms: int, max_records: int) -> list[RecordBatch]:
            found = super().poll(timeout_ms, max_records)
            log.append("t/1", b"more", timestamp_ms=0)
            return found

    intake = take_in(Growing(log, {}, [[(0, 5)], [(1, 3)]]), 1_000)
    assert intake.cut == {"t/0": 5, "t/1": 3}


def test_what_retention_took_is_counted_by_lane(log: MemoryLog) -> None:
    log.trim("t/0", 2)
    reader = log.open_reader({}, [[(0, 1)]])
    reader.poll(0, 1)
    log.trim("t/0", 4)
    intake = take_in(reader, 1_000)
    assert intake.lost == {"t/0": 3}
    assert intake.cut == {"t/0": 5, "t/1": 3}


def test_markers_are_passed_and_not_counted(log: MemoryLog) -> None:
    log.append_marker("t/1")
    intake = taken(log)
    assert intake.cut == {"t/0": 5, "t/1": 4}
    assert intake.records == 8


def test_a_lane_that_is_added_is_taken_in_from_its_beginning(log: MemoryLog) -> None:
    log.add_lane("t/2")
    log.append("t/2", b"0", timestamp_ms=0)
    assert taken(log, start={"t/0": 5, "t/1": 3}).read == {"t/2": 1}


def test_a_broker_that_promises_records_and_sends_none_is_an_error(log: MemoryLog) -> None:
    nothing: list[Poll] = [[]] * 10
    seconds = count(step=STALL_S / 4)
    with pytest.raises(LaneStalled, match=r"No records came for 30 s of t/0, t/1, though.*next cycle tries again"):
        take_in(log.open_reader({}, nothing), 1_000, now_s=lambda: next(seconds))


def test_a_lane_that_stalls_stays_where_it_is_and_the_others_are_taken_in(log: MemoryLog) -> None:
    polls: list[Poll] = [[(0, 2)], [(0, 3)], *[[]] * 40]
    seconds = count(step=STALL_S / 16)
    intake = take_in(log.open_reader({}, polls), 1_000, now_s=lambda: next(seconds))
    assert (intake.stalled, intake.cut, intake.records) == (["t/1"], {"t/0": 5, "t/1": 0}, 5)


def test_a_lane_that_stalls_is_named_also_where_the_others_fill_the_cycle(log: MemoryLog) -> None:
    polls: list[Poll] = [[(0, 1)]] * 5
    seconds = count(step=STALL_S / 4)
    assert take_in(log.open_reader({}, polls), 5, now_s=lambda: next(seconds)).stalled == ["t/1"]


def test_slow_progress_is_waited_for(log: MemoryLog) -> None:
    polls: list[Poll] = [part for _ in range(8) for part in ([], [], [(0, 1), (1, 1)])]
    seconds = count(step=STALL_S / 4)
    assert take_in(log.open_reader({}, polls), 1_000, now_s=lambda: next(seconds)).records == 8
