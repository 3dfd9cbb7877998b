"""The batch cycle on a real lake: what each stage leaves, and that each may run again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import polars as pl
import pytest
from laws.market import LANES, Market, Sending, steady_trades
from laws.parts import SOURCE, check_tables, new_cycle, run_cycle

from batch_layer import cycle as batch_cycle
from batch_layer import ledger as batch_ledger
from batch_layer.cycle import BatchCycle
from batch_layer.report import by_lane
from twofold.account import Account
from twofold.decoding import DECODER_HASH
from twofold.errors import Superseded
from twofold.lake import Lake
from twofold.ledger import Ledger
from twofold.publication import GENESIS, Publications
from twofold.source import SHIPPED_SOURCES
from twofold.views import VIEWS

TABLES = {"raw", "trades", "ledger", "gaps", "gap_log", "dead_letters", "views/bars", "views/taker_flow"}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def market() -> Market:
    market = Market()
    market.send(steady_trades(20))
    market.send([Sending(lane=1, gap_ms=0, not_a_trade=place) for place in range(4)])
    return market


def test_a_cycle_founds_the_lake_and_publishes_all_that_is_in_the_log(lake: Lake, market: Market) -> None:
    publication = run_cycle(lake, market.log)
    assert publication == Publications(lake).newest()
    assert publication.sequence == 1
    assert publication.cut == market.log.end_offsets()
    assert set(publication.tables) == TABLES
    assert publication.view_hashes == {name: view.hash for name, view in VIEWS.items()}
    assert publication.decoder_hash == DECODER_HASH
    check_tables(lake, publication, market.oracle(), [publication.cut])


def test_a_publication_bears_the_time_that_the_clock_told(lake: Lake, market: Market) -> None:
    noon = datetime(2024, 8, 9, 12, tzinfo=UTC)
    cycle = BatchCycle(lake, market.log.open_reader, VIEWS, SHIPPED_SOURCES, SOURCE, clock=lambda: noon)
    intake = cycle.ingest(5)
    assert cycle.publish(intake, cycle.fold(intake)).published_at == noon


def test_nothing_is_public_before_the_last_stage(lake: Lake, market: Market) -> None:
    cycle = new_cycle(lake, market.log)
    intake = cycle.ingest(1_000)
    assert Publications(lake).newest() == GENESIS
    folded = cycle.fold(intake)
    assert Publications(lake).newest() == GENESIS
    cycle.publish(intake, folded)
    assert Publications(lake).newest().sequence == 1


def test_raw_keeps_every_record_whole(lake: Lake, market: Market) -> None:
    market.log.append(LANES[0], None, timestamp_ms=5, key=b"\xff", headers=(("a", b"1"), ("a", None), ("b", b"")))
    publication = run_cycle(lake, market.log)
    raw = lake.scan("raw", publication.tables["raw"]).collect()
    assert raw.height == len(market.log.records)
    last = raw.filter(pl.col("lane") == LANES[0]).sort("offset").row(-1, named=True)
    assert (last["key"], last["value"]) == (b"\xff", None)
    assert last["logged_at"] == datetime(1970, 1, 1, 0, 0, 0, 5_000, tzinfo=UTC)
    pairs = [(header["key"], header["value"]) for header in last["headers"]]
    assert pairs == [("a", b"1"), ("a", None), ("b", b"")]


def test_a_cycle_without_news_writes_its_publication_and_nothing_else(lake: Lake, market: Market) -> None:
    first = run_cycle(lake, market.log)
    second = run_cycle(lake, market.log)
    assert (second.sequence, second.tables, second.cut) == (2, first.tables, first.cut)
    assert (second.accounts, second.witnesses) == (first.accounts, first.witnesses)


def test_each_cycle_commits_once_to_each_table_that_it_adds_to(lake: Lake, market: Market) -> None:
    versions = [run_cycle(lake, market.log, max_records=8).tables for _ in range(3)]
    trades = [table["trades"] for table in versions]
    assert trades == [1, 2, 3]
    assert [table["raw"] for table in versions] == [1, 2, 3]


def test_every_stage_may_run_again(lake: Lake, market: Market) -> None:
    run_cycle(lake, market.log, max_records=7)
    publication = run_cycle(lake, market.log, tries=3)
    assert publication.sequence == 2
    check_tables(lake, publication, market.oracle(), [Publications(lake).at(1).cut, publication.cut])


def test_publishing_again_what_is_public_is_refused(lake: Lake, market: Market) -> None:
    cycle = new_cycle(lake, market.log)
    intake = cycle.ingest(1_000)
    folded = cycle.fold(intake)
    first = cycle.publish(intake, folded)
    with pytest.raises(Superseded, match="comes too late"):
        cycle.publish(intake, folded)
    assert Publications(lake).newest() == first


def test_accounts_add_up_over_cycles(lake: Lake, market: Market) -> None:
    publications = [run_cycle(lake, market.log, max_records=9) for _ in range(4)]
    expected = market.oracle().accounts(publications[-1].cut, [publication.cut for publication in publications])
    found = publications[-1].accounts
    assert {lane: account.read for lane, account in found.items()} == market.log.end_offsets()
    assert all(account.balanced for account in found.values())
    assert {lane: account.folded for lane, account in found.items()} == {
        lane: account.folded for lane, account in expected.items()
    }


def test_the_ledger_is_rewritten_with_joined_intervals_when_it_has_many_files(lake: Lake, market: Market) -> None:
    with patch.object(batch_ledger, "LEDGER_FILES", 2):
        publications = [run_cycle(lake, market.log, max_records=4) for _ in range(6)]
    files = [len(lake.files("ledger", publication.tables["ledger"])) for publication in publications]
    assert max(files) == 2
    assert files.count(1) >= 2
    last = lake.scan("ledger", publications[-1].tables["ledger"]).collect()
    check_tables(lake, publications[-1], market.oracle(), [publication.cut for publication in publications])
    assert Ledger(last).frame.height <= last.height


def test_a_trade_that_comes_again_in_a_later_cycle_is_a_duplicate(lake: Lake) -> None:
    market = Market()
    market.send(steady_trades(6))
    first = run_cycle(lake, market.log)
    market.send(steady_trades(6))
    second = run_cycle(lake, market.log)
    assert second.tables["trades"] == first.tables["trades"]
    assert second.tables["views/bars"] == first.tables["views/bars"]
    assert sum(account.duplicates for account in second.accounts.values()) >= len(steady_trades(6))


def test_a_cycle_goes_on_from_another_decoders_publication_and_publishes_its_own_hash(
    lake: Lake, market: Market
) -> None:
    with patch.object(batch_cycle, "DECODER_HASH", "another decoder"):
        first = run_cycle(lake, market.log)
    market.send(steady_trades(6))
    second = run_cycle(lake, market.log)
    assert (first.decoder_hash, second.decoder_hash) == ("another decoder", DECODER_HASH)
    check_tables(lake, second, market.oracle(), [first.cut, second.cut])


def test_without_records_only_a_change_of_the_decoder_is_news(lake: Lake, market: Market) -> None:
    with patch.object(batch_cycle, "DECODER_HASH", "another decoder"):
        run_cycle(lake, market.log)
    changed = new_cycle(lake, market.log)
    intake = changed.ingest(1_000)
    assert (intake.records, changed.has_news(intake)) == (0, True)
    changed.publish(intake, changed.fold(intake))
    quiet = new_cycle(lake, market.log)
    assert not quiet.has_news(quiet.ingest(1_000))


def test_before_the_first_publication_an_empty_log_is_no_news(lake: Lake) -> None:
    cycle = new_cycle(lake, Market().log)
    assert not cycle.has_news(cycle.ingest(1_000))


def test_a_report_says_by_lane_what_the_cycle_did(lake: Lake, market: Market) -> None:
    run_cycle(lake, market.log, max_records=6)
    cycle = new_cycle(lake, market.log)
    intake = cycle.ingest(1_000)
    folded = cycle.fold(intake)
    rows = by_lane(cycle.parent, intake, folded)
    assert [row["lane"] for row in rows] == sorted(LANES)
    for row in rows:
        account = folded.accounts.get(row["lane"], Account())
        assert row["new cut"] - row["old cut"] == row["read"] == account.read
        assert row["folded"] + row["duplicates"] + row["dead letters"] + row["lost"] == row["read"]
        assert row["missing"] == 0
    assert {row["lane"]: row["new cut"] for row in rows} == intake.cut


def test_a_report_counts_missing_ids_in_the_lane_of_the_trade_after_them(lake: Lake) -> None:
    market = Market()
    market.send(
        Sending(lane=lane, gap_ms=1_000, trade_id=trade_id) for lane, trade_id in ((0, 1), (2, 5), (1, 6), (1, 8))
    )
    cycle = new_cycle(lake, market.log)
    intake = cycle.ingest(1_000)
    rows = by_lane(cycle.parent, intake, cycle.fold(intake))
    assert {row["lane"]: row["missing"] for row in rows} == dict(zip(LANES, (0, 1, 3), strict=True))
