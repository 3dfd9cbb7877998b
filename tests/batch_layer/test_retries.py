"""Retries as the log tells of them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from letters import MENDED, cycle, desk_trade
from memory_log import Headers, MemoryReader
from small_market import LANES, SmallMarket

from batch_layer.dead_letters import DeadLetters
from batch_layer.retries import RETRY_SCHEMA, retries_above, retries_below, with_first_places
from twofold.lane import Positions
from twofold.log_identity import LogIdentity
from twofold.publication import GENESIS

FIRST = f"{LANES[0]}:0"


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    return SmallMarket(tmp_path)


def first_at(value: bytes | None) -> Headers:
    return (("first_at", value),)


def fates(retries: pl.DataFrame) -> dict[tuple[str, int], tuple[str, str]]:
    assert retries.schema == RETRY_SCHEMA
    return {(lane, offset): (first, fate) for lane, offset, first, fate in retries.sort("lane", "offset").rows()}


def test_what_became_of_a_retry_is_read_from_the_tables(market: SmallMarket) -> None:
    desk_trade(market, 1)
    cycle(market)
    desk_trade(market, 1, lane=1, headers=first_at(FIRST.encode()))
    desk_trade(market, 1, lane=1, headers=first_at(FIRST.encode()))
    desk_trade(market, lane=1, value=b"{", headers=first_at(b"elsewhere/3:17"))
    desk_trade(market, 1, lane=1, clock="10:00:01", headers=first_at(b"elsewhere/3:18"))
    publication = cycle(market, MENDED)
    assert fates(retries_below(market.lake, publication)) == {
        (LANES[1], 0): (FIRST, "folded"),
        (LANES[1], 1): (FIRST, "repeated"),
        (LANES[1], 2): ("elsewhere/3:17", "refused"),
        (LANES[1], 3): ("elsewhere/3:18", "conflict"),
    }


def test_a_lake_without_retries_has_none(market: SmallMarket) -> None:
    assert fates(retries_below(market.lake, GENESIS)) == {}
    market.trade("10:00:00")
    market.poison()
    assert fates(retries_below(market.lake, cycle(market))) == {}


@pytest.mark.parametrize(
    "value", [None, b"", b"\xff", b"17", b"lane:17", b"lane/0:", b"lane/0:-1", b"a lane/0:17", b"lane/0:17 "]
)
def test_a_header_that_names_no_coordinates_makes_no_retry(market: SmallMarket, value: bytes | None) -> None:
    desk_trade(market, headers=first_at(value))
    publication = cycle(market)
    assert fates(retries_below(market.lake, publication)) == {}
    letters = with_first_places(DeadLetters(market.lake, publication).of().collect())
    assert letters["first_at"].to_list() == [FIRST]


def test_the_last_header_counts(market: SmallMarket) -> None:
    desk_trade(market, headers=(*first_at(b"\xff"), *first_at(b"lane/0:1"), *first_at(b"lane/0:2"), ("x", None)))
    assert fates(retries_below(market.lake, cycle(market))) == {(LANES[0], 0): ("lane/0:2", "refused")}


def test_those_above_the_cut_are_found_in_the_log(market: SmallMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch_layer.retries._CHUNK_RECORDS", 1)
    closed = []

    class Watched(MemoryReader):
        def close(self) -> None:
            closed.append(self.positions)

    def open_reader(start: Positions) -> Watched:
        return Watched(market.log, start, [])

    desk_trade(market, headers=first_at(b"lane/0:1"))
    cut = cycle(market).cut
    assert fates(retries_above(open_reader, cut, LogIdentity())) == {}
    for lane in (0, 1, 1):
        market.trade("10:00:00", lane=lane)
        desk_trade(market, lane=lane, headers=first_at(FIRST.encode()))
    unpublished = (FIRST, "unpublished")
    expected = {(LANES[0], 2): unpublished, (LANES[1], 1): unpublished, (LANES[1], 3): unpublished}
    assert fates(retries_above(open_reader, cut, LogIdentity())) == expected
    assert closed == [cut, market.log.end_offsets()]


def test_a_dead_letter_has_the_first_place_of_its_header_or_its_own(market: SmallMarket) -> None:
    market.poison()
    desk_trade(market, headers=first_at(b"lane/0:17"))
    desk_trade(market, lane=1)
    letters = DeadLetters(market.lake, cycle(market)).of().collect()
    found = with_first_places(letters)
    assert found.drop("first_at").equals(letters)
    assert set(found.select("lane", "offset", "first_at").rows()) == {
        (LANES[0], 0, FIRST),
        (LANES[0], 1, "lane/0:17"),
        (LANES[1], 0, f"{LANES[1]}:0"),
    }
