"""The worker over a real lake and a log in memory, stepped by hand where the order matters."""

import threading
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from eventually import eventually
from memory_log import Faucet, MemoryReader
from polars.testing import assert_frame_equal
from small_market import ROOMY_BYTES, SmallMarket

from speed_layer.worker import SpeedWorker
from twofold.errors import BaseGone, LogTruncated
from twofold.fold import merge
from twofold.records import OpenReader
from twofold.source import SHIPPED_SOURCES
from twofold.speed_state import ChangesRequest, SpeedHeader, unpack
from twofold.views import VIEWS

BARS = VIEWS["bars"]


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    return SmallMarket(tmp_path)


@pytest.fixture
def worker(market: SmallMarket) -> Iterator[SpeedWorker]:
    worker = market.worker()
    yield worker
    stop(worker)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speed_layer.worker.RETRY_S", 0.0)


def stop(worker: SpeedWorker) -> None:
    worker.stop()
    worker.run()


def state(worker: SpeedWorker, sequence: int, known: SpeedHeader | None = None) -> tuple[SpeedHeader, pl.DataFrame]:
    """The header of a base, and its partials of bars; of those only what came since `known`."""
    since = ChangesRequest(sequence=sequence)
    if known is not None:
        since = ChangesRequest(sequence=sequence, incarnation=known.incarnation, after=known.version)
    header, frames = unpack(worker.changes(since))
    return header, frames.get("bars", pl.DataFrame(schema=BARS.partial_schema))


def caught_up(worker: SpeedWorker, market: SmallMarket, sequence: int) -> SpeedHeader:
    """Look after the worker until its fold on that base has all that is logged; gives where it stands."""

    def look() -> SpeedHeader | None:
        worker.look()
        try:
            header, _ = state(worker, sequence)
        except BaseGone:
            return None
        return header if header.state == "live" and header.positions == market.log.end_offsets() else None

    return eventually(look)


def test_it_begins_on_the_newest_publication(worker: SpeedWorker, market: SmallMarket) -> None:
    market.trade("10:00:00")
    market.cycle()
    market.trade("10:00:01")
    header = caught_up(worker, market, 1)
    assert header.held == [1]
    _, bars = state(worker, 1)
    assert bars["trades"].to_list() == [1]


def test_while_there_is_no_lake_it_waits_for_one(tmp_path: Path) -> None:
    market = SmallMarket(tmp_path)
    (tmp_path / "lake").rename(tmp_path / "elsewhere")
    worker = market.worker()
    worker.look()
    with pytest.raises(BaseGone, match=r"it holds \[\]"):
        state(worker, 0)
    (tmp_path / "elsewhere").rename(tmp_path / "lake")
    caught_up(worker, market, 0)
    stop(worker)


def test_the_old_base_answers_on_while_the_new_one_catches_up_and_after(
    worker: SpeedWorker, market: SmallMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speed_layer.worker.GRACE_S", 3600.0)
    market.trade("10:00:00")
    old = caught_up(worker, market, 0)
    market.cycle()
    market.trade("10:00:01")
    new = caught_up(worker, market, 1)
    assert new.held == [0, 1]
    assert new.incarnation != old.incarnation
    caught_up(worker, market, 0)
    assert [state(worker, sequence)[1]["trades"].sum() for sequence in (0, 1)] == [2, 1]


def test_when_memory_is_short_the_old_base_goes_at_once_and_the_new_one_gets_as_far_as_that_had(
    worker: SpeedWorker, market: SmallMarket
) -> None:
    faucet = Faucet(market.log)
    market.trade("10:00:00")
    market.cycle()
    market.trade("10:00:01")
    caught_up(worker, market, 1)
    worker._open_reader = faucet.open_reader
    market.cycle()
    market.trade("10:00:02")
    worker.look()
    market.trade("10:00:03")
    caught_up(worker, market, 1)
    worker._memory_bytes = 0
    worker.look()
    header, _ = state(worker, 2)
    assert (header.held, header.state) == ([2], "catching_up")
    assert worker._readings[2]._goal == market.log.end_offsets()
    worker._memory_bytes = ROOMY_BYTES
    faucet.let_through(10)
    caught_up(worker, market, 2)
    assert state(worker, 2)[1]["trades"].sum() == 2


def test_a_base_that_has_no_room_left_to_merge_what_it_has_is_out_of_memory(
    worker: SpeedWorker, market: SmallMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.trade("10:00:00")
    caught_up(worker, market, 0)
    fold = worker._readings[0].fold
    assert fold.merge_bytes == max(log.size_bytes for log in fold.snapshot.logs.values()) > 0
    now_bytes = worker._process.memory_info().rss
    worker._memory_bytes = now_bytes + 2**30
    assert not worker._out_of_memory(fold)
    monkeypatch.setattr(type(fold), "merge_bytes", 2**31)
    assert worker._out_of_memory(fold)


def test_the_old_base_is_gone_after_the_grace(
    worker: SpeedWorker, market: SmallMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    caught_up(worker, market, 0)
    market.cycle()
    caught_up(worker, market, 1)
    monkeypatch.setattr("speed_layer.worker.GRACE_S", 0.0)
    worker.look()
    with pytest.raises(BaseGone) as caught:
        state(worker, 0)
    assert (caught.value.sequence, caught.value.held) == (0, [1])


def test_changes_since_a_version_add_up_to_the_whole(worker: SpeedWorker, market: SmallMarket) -> None:
    known = caught_up(worker, market, 0)
    parts = []
    for number in range(200):
        market.trade(f"10:0{number % 3}:{number % 60:02}", price=str(100 + number % 13))
        if number % 9 == 0:
            caught_up(worker, market, 0)
            known, part = state(worker, 0, known)
            assert not known.whole
            parts.append(part)
    caught_up(worker, market, 0)
    _, part = state(worker, 0, known)
    _, whole = state(worker, 0)
    summed = merge(BARS, pl.concat([*parts, part])).sort(BARS.group)
    assert_frame_equal(summed, merge(BARS, whole).sort(BARS.group))


def test_who_knows_another_incarnation_gets_the_whole(worker: SpeedWorker, market: SmallMarket) -> None:
    market.trade("10:00:00")
    header = caught_up(worker, market, 0)
    stranger = header.model_copy(update={"incarnation": "of a worker that was"})
    answered, bars = state(worker, 0, stranger)
    assert answered.whole
    assert bars["trades"].to_list() == [1]


def worker_reading(market: SmallMarket, open_reader: OpenReader, memory_bytes: int = ROOMY_BYTES) -> SpeedWorker:
    return SpeedWorker(market.lake, open_reader, VIEWS, SHIPPED_SOURCES, "simulator", memory_bytes)


def test_while_a_fold_catches_up_no_partials_leave_it(market: SmallMarket) -> None:
    may_read = threading.Event()

    class Held(MemoryReader):
        def poll(self, timeout_ms: int, max_records: int) -> list:  # type: ignore[type-arg]  # of record batches
            return super().poll(timeout_ms, max_records) if may_read.wait(timeout_ms / 1000) else []

    market.trade("10:00:00")
    worker = worker_reading(market, lambda start: Held(market.log, start, []))
    worker.look()
    header, bars = state(worker, 0)
    assert (header.state, header.views, bars.height) == ("catching_up", [], 0)
    may_read.set()
    caught_up(worker, market, 0)
    stop(worker)


def test_a_fold_that_failed_is_started_again_cold(market: SmallMarket) -> None:
    class Fragile(MemoryReader):
        breaks = False

        def poll(self, timeout_ms: int, max_records: int) -> list:  # type: ignore[type-arg]  # of record batches
            if Fragile.breaks:
                Fragile.breaks = False
                raise LogTruncated("Records are gone.")
            return super().poll(timeout_ms, max_records)

    market.trade("10:00:00")
    worker = worker_reading(market, lambda start: Fragile(market.log, start, []))
    before = caught_up(worker, market, 0)
    Fragile.breaks = True
    market.trade("10:00:01")

    def started_again() -> bool:
        return caught_up(worker, market, 0).incarnation != before.incarnation

    eventually(started_again)
    assert state(worker, 0)[1]["trades"].to_list() == [2]
    stop(worker)


def test_a_fold_that_got_stuck_at_the_memory_bound_makes_way_for_a_newer_base(market: SmallMarket) -> None:
    market.trade("10:00:00")
    worker = worker_reading(market, market.log.open_reader, memory_bytes=1)
    worker.look()
    eventually(lambda: worker._readings[0].paused)
    header, _ = state(worker, 0)
    assert (header.state, header.positions) == ("catching_up", {})
    market.cycle()
    worker.look()
    assert state(worker, 1)[0].held == [1]
    stop(worker)


def test_a_ledger_that_cannot_be_read_is_tried_again(market: SmallMarket, worker: SpeedWorker) -> None:
    market.trade("10:00:00")
    caught_up(worker, market, 0)
    market.cycle()
    (file,) = Path(market.lake.root, "ledger").glob("*.parquet")
    hidden = file.rename(file.with_suffix(".hidden"))
    worker.look()
    assert state(worker, 0)[0].held == [0]
    hidden.rename(file)
    caught_up(worker, market, 1)


def test_a_publication_of_another_decoder_is_refused_and_the_old_base_answers_for_its_grace(
    worker: SpeedWorker, market: SmallMarket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    market.trade("10:00:00")
    caught_up(worker, market, 0)
    with monkeypatch.context() as old_code:
        old_code.setattr("batch_layer.cycle.DECODER_HASH", "another decoder")
        market.cycle()
    market.trade("10:00:01")
    caught_up(worker, market, 0)
    assert state(worker, 0)[0].held == [0]
    refusals = [record.message for record in caplog.records if "Refused base 1" in record.message]
    assert len(refusals) == 1
    assert "made by decoder another" in refusals[0]
    monkeypatch.setattr("speed_layer.worker.GRACE_S", 0.0)
    worker.look()
    with pytest.raises(BaseGone, match=r"it holds \[\]"):
        state(worker, 0)


def test_a_worker_that_refused_a_base_takes_the_next_one_of_its_own_decoder(
    worker: SpeedWorker, market: SmallMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as old_code:
        old_code.setattr("batch_layer.cycle.DECODER_HASH", "another decoder")
        market.cycle()
    worker.look()
    with pytest.raises(BaseGone, match=r"it holds \[\]"):
        state(worker, 1)
    market.trade("10:00:00")
    market.cycle()
    assert caught_up(worker, market, 2).held == [2]


def test_it_runs_until_it_is_stopped(market: SmallMarket) -> None:
    worker = market.worker()
    thread = threading.Thread(target=worker.run)
    thread.start()
    eventually(lambda: worker._readings and not worker._readings[0].failure)
    worker.stop()
    thread.join(timeout=60)
    assert not thread.is_alive()
    assert not any(reading.is_alive() for reading in worker._readings.values())
