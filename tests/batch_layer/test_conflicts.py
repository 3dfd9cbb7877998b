"""Conflicts: an id that comes again with another body, below the cut, in the same cycle, and far from its time."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
from letters import MENDED, cycle, desk_trade
from small_market import DAY, LANES, SmallMarket, time_us, trade_value

from twofold.account import Account
from twofold.lake import Lake
from twofold.publication import Publication

HEADERS = (("x", b"\xff"), ("y", None))


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    return SmallMarket(tmp_path)


def letters(market: SmallMarket, publication: Publication) -> list[dict[str, Any]]:
    frame = market.lake.scan("dead_letters", publication.tables["dead_letters"]).collect()
    return frame.sort("lane", "offset").to_dicts()


def prices(market: SmallMarket, publication: Publication) -> list[Decimal]:
    return market.lake.scan("trades", publication.tables["trades"]).collect()["price"].to_list()


def detail(market: SmallMarket) -> str:
    (letter,) = letters(market, market.cycle())
    assert letter["reason"] == "conflict"
    return str(letter["detail"])


@pytest.mark.parametrize("lane", [0, 1])
@pytest.mark.parametrize("cycles", [1, 2])
def test_a_copy_with_another_body_is_a_dead_letter_kept_whole_and_the_first_counts(
    market: SmallMarket, lane: int, cycles: int
) -> None:
    market.trade("10:00:00", trade_id=7)
    if cycles == 2:
        market.cycle()
    value = trade_value("10:00:00", 7, price="101")
    market.log.append(LANES[lane], value, timestamp_ms=time_us("10:00:05") // 1000, key=b"\xc3\xa9", headers=HEADERS)
    publication = market.cycle()
    assert prices(market, publication) == [100]
    (letter,) = letters(market, publication)
    assert (letter["lane"], letter["offset"]) == (LANES[lane], 1 - lane)
    assert (letter["key"], letter["value"]) == (b"\xc3\xa9", value)
    assert [(header["key"], header["value"]) for header in letter["headers"]] == list(HEADERS)
    assert (letter["source"], letter["reason"]) == ("simulator", "conflict")
    assert (letter["venue"], letter["symbol"], letter["trade_id"]) == ("simulator", "BTCUSDT", 7)
    assert sum((account for account in publication.accounts.values()), Account()) == Account(2, 1, 0, 1, 0)
    assert all(account.balanced for account in publication.accounts.values())


@pytest.mark.parametrize("cycles", [1, 2])
def test_a_copy_with_the_same_body_is_a_duplicate_however_it_is_written_and_whenever_it_arrives(
    market: SmallMarket, cycles: int
) -> None:
    market.trade("10:00:00", trade_id=7)
    if cycles == 2:
        market.cycle()
    market.trade("10:00:00", trade_id=7, price="100.0", size="1.00000000", lane=1, arrives="11:00:00")
    publication = market.cycle()
    assert letters(market, publication) == []
    assert publication.accounts[LANES[1]] == Account(1, duplicates=1)


@pytest.mark.parametrize("cycles", [1, 2])
@pytest.mark.parametrize(
    ("changed", "differs"),
    [
        ({"price": "100.5"}, "price 100 and not 100.5"),
        ({"size": "1000"}, "size 1 and not 1000"),
        ({"side": "sell"}, "side buy and not sell"),
        ({"price": "0.1", "side": "sell"}, "price 100 and not 0.1, side buy and not sell"),
    ],
)
def test_the_detail_tells_what_differs_from_the_trade_that_counts(
    market: SmallMarket, changed: dict[str, str], differs: str, cycles: int
) -> None:
    market.trade("10:00:00", trade_id=7)
    if cycles == 2:
        market.cycle()
    market.trade("10:00:00", trade_id=7, lane=1, **changed)
    expected = f"Trade 7 of BTCUSDT at simulator had been taken from offset 0 of lane {LANES[0]} with {differs}."
    assert detail(market) == expected


def test_another_event_time_is_told_where_the_trade_that_counts_is_of_the_same_cycle(market: SmallMarket) -> None:
    market.trade("10:00:00", trade_id=7)
    market.trade("10:00:01", trade_id=7)
    assert detail(market).endswith(f"with event time {DAY}T10:00:00.000000Z and not {DAY}T10:00:01.000000Z.")


def test_where_no_file_reaches_over_the_event_time_none_is_read_and_that_is_all_that_is_told(
    market: SmallMarket,
) -> None:
    market.trade("10:00:00", trade_id=7)
    market.cycle()
    market.trade("10:30:00", trade_id=7)
    with patch.object(Lake, "read_files", side_effect=AssertionError):
        told = detail(market)
    assert told.endswith(f" had been taken with another event time than {DAY}T10:30:00.000000Z.")


def test_only_files_around_the_repeats_are_read_whatever_lies_between_them(market: SmallMarket) -> None:
    for minute in range(5):
        market.trade(f"10:0{minute}:00", trade_id=minute)
        market.trade(f"10:0{minute}:01", trade_id=10 + minute)
        market.cycle()
    market.trade("10:01:00", trade_id=1, price="2")
    market.trade("10:04:01", trade_id=14)
    market.trade("10:04:00.5", trade_id=4)
    read: list[list[str]] = []
    real = Lake.read_files

    def noted(lake: Lake, table: str, files: list[str], columns: list[str], where: pl.Expr) -> pl.DataFrame:
        read.append(files)
        return real(lake, table, files, columns, where)

    with patch.object(Lake, "read_files", noted):
        publication = market.cycle()
    assert [len(files) for files in read] == [2]
    assert [letter["trade_id"] for letter in letters(market, publication)] == [1, 4]
    assert publication.accounts[LANES[0]] == Account(13, 10, 1, 2)


def test_a_true_repeat_is_found_though_statistics_cut_microseconds_off(market: SmallMarket) -> None:
    market.trade("10:00:00.123999", trade_id=7)
    market.cycle()
    market.trade("10:00:00.123999", trade_id=7, lane=1)
    assert letters(market, market.cycle()) == []


def test_of_copies_that_come_together_the_least_arrival_lane_and_offset_counts(market: SmallMarket) -> None:
    market.trade("10:00:00", trade_id=7, price="3", arrives="10:00:09")
    market.trade("10:00:00", trade_id=7, price="2", lane=1, arrives="10:00:08")
    market.trade("10:00:00", trade_id=7, price="1", arrives="10:00:08")
    market.trade("10:00:00", trade_id=7, price="1", lane=1, arrives="10:00:08")
    publication = market.cycle()
    assert prices(market, publication) == [1]
    assert [(letter["lane"], letter["offset"]) for letter in letters(market, publication)] == [
        (LANES[0], 0),
        (LANES[1], 0),
    ]
    assert publication.accounts[LANES[1]] == Account(2, duplicates=1, dead_letters=1)


def test_the_same_id_of_another_symbol_or_venue_is_no_conflict(market: SmallMarket) -> None:
    market.trade("10:00:00", trade_id=7)
    cycle(market)
    market.trade("10:00:00", trade_id=7, symbol="ETHUSDT", price="2")
    market.trade("10:00:00", trade_id=7)
    desk_trade(market, 7, value=trade_value("10:00:00", 7, price="3"))
    assert letters(market, cycle(market, MENDED)) == []


def test_an_id_in_conflict_was_seen_and_so_is_not_unusable(market: SmallMarket) -> None:
    def states() -> list[tuple[int, int, str]]:
        gaps = market.lake.scan("gaps", market.cycle().tables["gaps"])
        return gaps.select("first_id", "last_id", "state").collect().rows()

    for trade_id in (1, 5):
        market.trade("10:00:00", trade_id=trade_id)
    market.broken("10:00:01", 3)
    market.trade("10:00:01", trade_id=1, price="2")
    assert states() == [(2, 2, "open"), (3, 3, "unusable"), (4, 4, "open")]
    market.trade("10:00:02", trade_id=3)
    market.trade("10:00:02", trade_id=3, price="2")
    assert states() == [(2, 2, "open"), (4, 4, "open")]
    market.trade("10:00:02", trade_id=3, price="3")
    market.broken("10:00:03", 3)
    assert states() == [(2, 2, "open"), (4, 4, "open")]


def test_each_of_many_conflicts_is_found_among_records_of_all_kinds(market: SmallMarket) -> None:
    for number in range(60):
        market.trade("10:00:00", trade_id=number, lane=number % 2)
        if number % 7 == 0:
            market.poison(lane=number % 2)
    market.cycle()
    for number in range(60):
        market.trade("10:00:00", trade_id=number, lane=number % 3 % 2, price="100" if number % 5 else "99")
        market.trade("10:00:01", trade_id=100 + number, lane=number % 2)
    publication = market.cycle()
    found = [letter for letter in letters(market, publication) if letter["reason"] == "conflict"]
    assert sorted(letter["trade_id"] for letter in found) == list(range(0, 60, 5))
    values = {(record.lane, record.offset): record.value for record in market.log.records}
    assert all(letter["value"] == values[letter["lane"], letter["offset"]] for letter in found)
    assert sum(account.duplicates for account in publication.accounts.values()) == 48
