"""What a cycle that was never published left in `raw` is taken in where the log has it no longer."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from laws.commit_points import crash_after
from small_market import LANES, SmallMarket

from twofold.publication import Publication, Publications
from twofold.tables import RAW, TRADES

LANE = LANES[0]


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    """Two trades are published; after them four and a broken record were taken in by a cycle that ended there."""
    market = SmallMarket(tmp_path)
    for second in range(2):
        market.trade(f"10:00:0{second}")
    market.cycle()
    for second in range(2, 6):
        market.trade(f"10:00:0{second}")
    market.poison(clock="10:00:06")
    with crash_after(1):
        market.cycle()
    return market


def offsets(market: SmallMarket, table: str, publication: Publication) -> list[int]:
    return sorted(market.lake.scan(table, publication.tables[table]).select("offset").collect()["offset"])


def test_what_was_kept_is_taken_in_once_and_nothing_is_lost(market: SmallMarket) -> None:
    whole = pl.read_delta(market.lake.address(RAW.name)).sort("offset")
    market.log.trim(LANE, 7)
    publication = market.cycle()
    assert offsets(market, RAW.name, publication) == list(range(7))
    assert offsets(market, TRADES.name, publication) == list(range(6))
    assert market.lake.scan(RAW.name, publication.tables[RAW.name]).sort("offset").collect().equals(whole)
    account = publication.accounts[LANE]
    assert (account.read, account.folded, account.dead_letters, account.lost) == (7, 6, 1, 0)


def test_it_is_found_behind_cycles_that_ended_after_bringing_raw_back(market: SmallMarket) -> None:
    market.log.trim(LANE, 7)
    with crash_after(1):  # having brought back what is published
        market.cycle()
    with crash_after(2):  # having taken in what was kept
        market.cycle()
    publication = market.cycle()
    assert offsets(market, RAW.name, publication) == list(range(7))
    assert publication.accounts[LANE].lost == 0


def test_what_was_not_kept_counts_as_lost_by_range(market: SmallMarket) -> None:
    for second in range(3):
        market.trade(f"10:01:0{second}")
    market.log.trim(LANE, 9)
    publication = market.cycle()
    assert offsets(market, RAW.name, publication) == [*range(7), 9]
    assert (publication.accounts[LANE].read, publication.accounts[LANE].lost) == (10, 2)
    assert publication.accounts[LANE].balanced


def test_what_the_log_still_has_is_read_from_there(market: SmallMarket) -> None:
    market.log.trim(LANE, 4)
    publication = market.cycle()
    assert offsets(market, RAW.name, publication) == list(range(7))
    assert publication.accounts[LANE].lost == 0


def test_data_files_that_are_gone_leave_their_records_lost(market: SmallMarket) -> None:
    published = market.lake.files(RAW.name, Publications(market.lake).newest().tables[RAW.name])
    for file in Path(market.lake.root, RAW.name).glob("*.parquet"):
        if str(file) not in published:
            file.unlink()
    market.log.trim(LANE, 7)
    publication = market.cycle()
    assert publication.accounts[LANE].lost == 5
