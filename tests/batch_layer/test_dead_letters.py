"""The dead letters of a publication, on a real lake."""

from __future__ import annotations

from pathlib import Path

import pytest
from letters import cycle, desk_trade
from memory_log import MemoryLog
from small_market import LANES, SmallMarket

from batch_layer.dead_letters import DeadLetters, by_reason, newest
from twofold.errors import UnknownName
from twofold.publication import GENESIS


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    """Trades with dead letters between them: two of no JSON, in different lanes, and one of an undeclared source."""
    market = SmallMarket(tmp_path)
    market.trade("10:00:00")
    market.poison(clock="10:00:02")
    market.poison(lane=1, clock="10:00:01")
    desk_trade(market, lane=1, clock="10:00:03")
    return market


def places(letters: DeadLetters, reason: str | None = None, source: str | None = None) -> list[tuple[str, int]]:
    return sorted(letters.of(reason, source).select("lane", "offset").collect().rows())


def test_all_of_them_or_those_of_a_reason_or_a_source_or_both_are_found(market: SmallMarket) -> None:
    letters = DeadLetters(market.lake, cycle(market))
    broken, desk = [(LANES[0], 1), (LANES[1], 0)], [(LANES[1], 1)]
    assert places(letters) == [*broken, *desk]
    assert places(letters, reason="broken_json") == places(letters, source="simulator") == broken
    assert places(letters, "unknown_source", "desk") == desk
    assert places(letters, "broken_json", "desk") == []


def test_the_newest_come_last_and_without_their_bytes(market: SmallMarket) -> None:
    letters = DeadLetters(market.lake, cycle(market)).of()
    assert [(row["lane"], row["offset"]) for row in newest(letters, 2)] == [(LANES[0], 1), (LANES[1], 1)]
    told = ["lane", "offset", "logged_at", "source", "reason", "detail", "venue", "symbol", "trade_id", "trade_key"]
    assert list(newest(letters, 1)[0]) == told
    assert len(newest(letters, 50)) == 3


def test_they_are_counted_by_reason_the_most_frequent_first(market: SmallMarket) -> None:
    counts = by_reason(DeadLetters(market.lake, cycle(market)).of())
    assert list(counts.items()) == [("broken_json", 2), ("unknown_source", 1)]


def test_those_of_an_older_publication_are_read_as_they_were(market: SmallMarket) -> None:
    first = cycle(market)
    market.poison()
    cycle(market)
    assert len(places(DeadLetters(market.lake, first))) == 3


def test_before_the_first_publication_there_are_none(market: SmallMarket) -> None:
    letters = DeadLetters(market.lake, GENESIS)
    assert places(letters) == places(letters, reason="tombstone") == []
    with pytest.raises(UnknownName, match=r"Known: none\."):
        letters.at("0", 0)


def test_a_reason_that_does_not_exist_is_an_error_and_one_without_letters_is_not(market: SmallMarket) -> None:
    letters = DeadLetters(market.lake, cycle(market))
    assert places(letters, reason="tombstone") == []
    with pytest.raises(UnknownName, match=r"no reason 'broken_jsn'\. Did you mean 'broken_json'\? Known: bad_"):
        letters.of("broken_jsn")


def test_a_source_of_no_dead_letter_is_an_error_that_names_those_that_have_some(market: SmallMarket) -> None:
    with pytest.raises(UnknownName, match=r"'binance-spot'\. Known: desk, simulator"):
        DeadLetters(market.lake, cycle(market)).of(source="binance-spot")


@pytest.mark.parametrize("place", [LANES[1], "1", "/1", f"{LANES[1][:4]}/1"])
def test_one_is_found_by_as_much_of_its_lane_as_leaves_no_other(market: SmallMarket, place: str) -> None:
    found = DeadLetters(market.lake, cycle(market)).at(place, 1)
    assert found.select("lane", "offset", "reason").rows() == [(LANES[1], 1, "unknown_source")]


@pytest.mark.parametrize("place", ["0", "11", "", LANES[1][:4], "ffff/1"])
def test_a_place_without_one_is_an_error_that_says_where_there_are_some(market: SmallMarket, place: str) -> None:
    letters = DeadLetters(market.lake, cycle(market))
    with pytest.raises(UnknownName) as caught:
        letters.at(place, 0)
    assert caught.value.exist == [f"{LANES[0]} from 1 to 1", f"{LANES[1]} from 0 to 1"]


def test_a_place_that_several_have_is_an_error_that_names_them_and_a_whole_lane_is_none(tmp_path: Path) -> None:
    market = SmallMarket(tmp_path)
    market.log = MemoryLog(["one/0", "one-more/0"])
    for lane in market.log.lanes:
        market.log.append(lane, b"{", timestamp_ms=1)
    letters = DeadLetters(market.lake, cycle(market))
    with pytest.raises(UnknownName, match="Known: one-more/0 0, one/0 0"):
        letters.at("o/0", 0)
    assert letters.at("one/0", 0)["lane"].to_list() == ["one/0"]
