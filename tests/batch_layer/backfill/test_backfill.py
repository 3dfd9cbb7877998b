"""Files are taken in once, whatever is repeated, interrupted or brought by the event log as well."""

from __future__ import annotations

import gzip
import threading
from pathlib import Path

import pytest
from import_maker import IMPORTED_AT, import_file, lines, take_in
from laws.commit_points import crash_after
from small_market import LANES, SmallMarket, trade_value

from batch_layer.backfill.backfill import Backfill
from batch_layer.backfill.summary import summary
from twofold.account import Account
from twofold.errors import CaptureError
from twofold.publication import Publications
from twofold.tables import DEAD_LETTERS, RAW, TRADES

IDS = range(1, 8)
VALUES = [trade_value(f"10:00:0{number}", number) for number in IDS]


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    return SmallMarket(tmp_path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Seven trades, and a row among them that is none."""
    return lines(tmp_path / "trades.ndjson", *VALUES[:3], b"{", *VALUES[3:])


def ids(market: SmallMarket) -> list[int]:
    """The ids of `trades`, each as often as it is there."""
    version = Publications(market.lake).newest().tables[TRADES.name]
    return sorted(market.lake.scan(TRADES.name, version).collect()["trade_id"])


def test_a_file_is_taken_in_chunk_by_chunk_each_public_by_itself(market: SmallMarket, path: Path) -> None:
    file = import_file(path)
    steps = take_in(file, market.lake, market.new_cycle, 3)
    assert [(step.sequence, step.account.read) for step in steps] == [(1, 3), (2, 3), (3, 2)]
    newest = Publications(market.lake).newest()
    assert newest.cut == {file.lane: 8}
    assert newest.accounts == {file.lane: Account(read=8, folded=7, dead_letters=1)}
    assert ids(market) == list(IDS)
    assert summary("trades.ndjson", 0, steps) == {
        "file": "trades.ndjson",
        "there before": 0,
        "read": 8,
        "taken": 7,
        "repeated": 0,
        "dead letters": 1,
        "publications": "1 to 3",
    }


def test_a_row_that_is_no_trade_is_a_dead_letter_at_its_number(market: SmallMarket, path: Path) -> None:
    file = import_file(path)
    take_in(file, market.lake, market.new_cycle)
    tables = Publications(market.lake).newest().tables
    letters = market.lake.scan(DEAD_LETTERS.name, tables[DEAD_LETTERS.name]).collect()
    assert letters.select("lane", "offset", "value", "reason").rows() == [(file.lane, 3, b"{", "broken_json")]
    assert market.lake.scan(RAW.name, tables[RAW.name]).collect()["offset"].to_list() == list(range(8))


def test_the_same_again_does_nothing(market: SmallMarket, path: Path, tmp_path: Path) -> None:
    take_in(import_file(path), market.lake, market.new_cycle)
    copy = tmp_path / "copy.ndjson"
    copy.write_bytes(path.read_bytes())
    for each in (path, copy):
        assert take_in(import_file(each), market.lake, market.new_cycle, 2) == []
    assert Publications(market.lake).newest().sequence == 1


def test_a_changed_file_is_another_import_whose_known_trades_are_repeats(market: SmallMarket, path: Path) -> None:
    take_in(import_file(path), market.lake, market.new_cycle)
    lines(path, *VALUES, trade_value("10:00:08", 8))
    (step,) = take_in(import_file(path), market.lake, market.new_cycle)
    assert step.account == Account(read=8, folded=1, duplicates=7)
    assert ids(market) == [*IDS, 8]


@pytest.mark.parametrize("commits", range(14))
def test_a_run_that_was_killed_is_gone_on_from_where_it_was(market: SmallMarket, path: Path, commits: int) -> None:
    file = import_file(path)
    with crash_after(commits):
        take_in(file, market.lake, market.new_cycle, 5)
    take_in(import_file(path), market.lake, market.new_cycle, 5)
    newest = Publications(market.lake).newest()
    assert (newest.cut, newest.sequence) == ({file.lane: 8}, 2)
    assert newest.accounts == {file.lane: Account(read=8, folded=7, dead_letters=1)}
    assert ids(market) == list(IDS)


def test_what_the_log_brings_as_well_counts_once_whichever_comes_first(market: SmallMarket, path: Path) -> None:
    for number in (2, 3):
        market.trade(f"10:00:0{number}", trade_id=number)
    market.cycle()
    file = import_file(path)
    take_in(file, market.lake, market.new_cycle, 4)
    for number in (4, 5, 8):
        market.trade(f"10:00:0{number}", trade_id=number)
    newest = market.cycle()
    assert ids(market) == [*IDS, 8]
    assert newest.accounts[file.lane] == Account(read=8, folded=5, duplicates=2, dead_letters=1)
    assert newest.accounts[LANES[0]] == Account(read=5, folded=3, duplicates=2)
    assert newest.cut == {file.lane: 8, LANES[0]: 5, LANES[1]: 0}


def test_a_lake_that_knows_no_event_log_yet_goes_on_with_one(market: SmallMarket, path: Path) -> None:
    file = import_file(path)
    take_in(file, market.lake, market.new_cycle)
    market.trade("10:01:00", trade_id=9)
    newest = market.cycle()
    assert newest.cut == {file.lane: 8, LANES[0]: 1, LANES[1]: 0}
    assert newest.log.open_lanes(newest.cut) == {LANES[0]: 1, LANES[1]: 0}
    assert ids(market) == [*IDS, 9]


def test_two_runs_of_one_file_at_once_take_it_in_once(market: SmallMarket, path: Path) -> None:
    jobs = [Backfill(import_file(path), market.lake, market.new_cycle, 1, lambda: IMPORTED_AT) for _ in range(2)]
    threads = [threading.Thread(target=lambda job=job: list(job.steps())) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    newest = Publications(market.lake).newest()
    assert newest.accounts == {import_file(path).lane: Account(read=8, folded=7, dead_letters=1)}
    assert newest.sequence == 8


def test_what_was_taken_in_before_the_file_broke_stays(market: SmallMarket, tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(trade_value("10:00:00", number) + b"\n" for number in range(50_000)))
    cut_off = tmp_path / "trades.gz"
    cut_off.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CaptureError, match="damaged or was cut off"):
        take_in(import_file(cut_off), market.lake, market.new_cycle, 5_000)
    before = len(ids(market))
    assert before > 0
    cut_off.write_bytes(whole)
    take_in(import_file(cut_off), market.lake, market.new_cycle)
    assert ids(market) == list(range(50_000))


def test_what_a_killed_live_cycle_kept_is_found_behind_an_import(market: SmallMarket, path: Path) -> None:
    for second in range(10, 14):
        market.trade(f"10:00:{second}", trade_id=second)
    with crash_after(1):
        market.cycle()
    take_in(import_file(path), market.lake, market.new_cycle, 3)
    market.log.trim(LANES[0], 4)
    newest = market.cycle()
    assert ids(market) == [*IDS, *range(10, 14)]
    assert newest.accounts[LANES[0]] == Account(read=4, folded=4)
