"""What a retry sends, what it leaves, and what the laws make of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from letters import MENDED, cycle, desk_trade, send
from small_market import DAY, LANES, SmallMarket, time_us

from batch_layer.dead_letters import DeadLetters
from batch_layer.resending import Resending, plan_resending
from twofold.clock import from_epoch_us
from twofold.errors import DecoderDiffers
from twofold.publication import Publication, Publications
from twofold.source import SHIPPED_SOURCES, Source

NOON = datetime.fromisoformat(f"{DAY}T12:00:00").replace(tzinfo=UTC)
FIRST = f"{LANES[0]}:0".encode()


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    return SmallMarket(tmp_path)


def plan(
    market: SmallMarket, sources: Mapping[str, Source] = MENDED, *, now: datetime = NOON, only: int | None = None
) -> Resending:
    """Plan to retry all dead letters of the newest publication, or only the one at an offset of the first lane."""
    publication = Publications(market.lake).newest()
    found = DeadLetters(market.lake, publication)
    letters = found.of() if only is None else found.at("0", only).lazy()
    return plan_resending(
        market.lake, publication, letters, market.log.open_reader, sources, "simulator", clock=lambda: now
    )


def trades(market: SmallMarket, publication: Publication) -> pl.DataFrame:
    return market.lake.scan("trades", publication.tables["trades"]).collect()


def test_the_bytes_are_sent_as_they_are_with_a_header_that_names_the_first_coordinates(market: SmallMarket) -> None:
    headers = (("collected_us", b"%d" % time_us("10:00:01")), ("source", b"desk"), ("x", b"\xff"))
    desk_trade(market, key=b"\xc3\xa9", headers=headers)
    desk_trade(market, 2, lane=1, key=None)
    cycle(market)
    first, second = plan(market).messages()
    assert first == (b"\xc3\xa9", market.log.records[0].value, [("source", b"desk"), *headers, ("first_at", FIRST)])
    assert second.key is None
    assert second.headers == [("source", b"desk"), ("first_at", f"{LANES[1]}:0".encode())]


def test_only_what_the_decoder_takes_by_now_is_sent_and_the_rest_is_counted_by_reason(market: SmallMarket) -> None:
    for number in range(3):
        desk_trade(market, number)
        market.poison()
    desk_trade(market, value=b"[]")
    market.log.append(LANES[0], None, timestamp_ms=time_us("10:00:00") // 1000)
    cycle(market)
    found = plan(market)
    assert found.letters["offset"].to_list() == [0, 2, 4]
    assert found.refused == {"broken_json": 3, "not_an_object": 1, "tombstone": 1}
    assert found.sent_before == 0
    unmended = plan(market, SHIPPED_SOURCES)
    assert (unmended.letters.height, unmended.refused["unknown_source"]) == (0, 4)


def test_a_retry_is_folded_once_and_the_first_record_stays_a_dead_letter_in_the_sum(market: SmallMarket) -> None:
    desk_trade(market, 7)
    market.trade("10:00:00")
    cycle(market)
    again = plan(market)
    assert send(market, again) == send(market, again) == 1  # as two people would who retry in the same instant
    publication = cycle(market, MENDED)
    assert trades(market, publication).select("venue", "trade_id", "lane", "offset").sort("venue").rows() == [
        ("desk", 7, LANES[1], 0),
        ("simulator", 1, LANES[0], 1),
    ]
    first, second = (publication.accounts[lane] for lane in LANES)
    assert (first.read, first.folded, first.dead_letters) == (2, 1, 1)
    assert (second.read, second.folded, second.duplicates) == (2, 1, 1)
    assert first.balanced
    assert second.balanced


def test_what_is_in_the_log_again_is_not_sent_before_nor_after_a_cycle_has_taken_it_in(market: SmallMarket) -> None:
    desk_trade(market, 1)
    cycle(market)
    send(market, plan(market))
    above = plan(market)
    assert (above.letters.height, above.sent_before, above.refused) == (0, 1, {})
    cycle(market, MENDED)
    below = plan(market)
    assert (below.letters.height, below.sent_before, below.refused) == (0, 1, {})


def test_a_retry_that_was_refused_again_may_be_sent_once_more_and_keeps_the_first_coordinates(
    market: SmallMarket,
) -> None:
    desk_trade(market)
    cycle(market)
    send(market, plan(market), lane=0)
    cycle(market)  # by a batch side that does not know of the new source yet
    (message,) = plan(market).messages()
    (same,) = plan(market, only=1).messages()
    assert message == same
    assert message.headers == [("source", b"desk"), ("first_at", FIRST)]
    send(market, plan(market), lane=0)
    publication = cycle(market, MENDED)
    assert trades(market, publication).select("lane", "offset").rows() == [(LANES[0], 2)]
    assert plan(market).sent_before == plan(market, only=1).sent_before == 1


def test_a_header_that_names_no_coordinates_is_kept_and_ours_comes_after_it(market: SmallMarket) -> None:
    desk_trade(market, headers=(("first_at", b"long ago"),))
    cycle(market)
    (message,) = plan(market).messages()
    assert message.headers == [("source", b"desk"), ("first_at", b"long ago"), ("first_at", FIRST)]


def test_a_record_with_a_header_of_no_value_is_left_since_it_cannot_be_written_the_same(market: SmallMarket) -> None:
    desk_trade(market, 1, headers=(("x", None),))
    desk_trade(market, 2)
    cycle(market)
    found = plan(market)
    assert found.letters["offset"].to_list() == [1]
    assert found.refused == {"null_header": 1}


def test_a_retry_arrives_when_its_collector_had_it_or_else_when_it_is_logged_again(market: SmallMarket) -> None:
    desk_trade(market, 1, headers=(("collected_us", b"%d" % time_us("10:00:05")),))
    desk_trade(market, 2)
    cycle(market)
    send(market, plan(market), clock="12:30:00")
    arrivals = dict(trades(market, cycle(market, MENDED)).select("trade_id", "arrival_time").rows())
    assert arrivals == {1: from_epoch_us(time_us("10:00:05")), 2: from_epoch_us(time_us("12:30:00"))}


def test_times_are_judged_by_when_the_retry_would_be_logged(market: SmallMarket) -> None:
    market.trade("11:30:00", arrives="11:00:00")
    cycle(market)
    too_early = plan(market, now=from_epoch_us(time_us("11:20:00")))
    assert (too_early.letters.height, too_early.refused) == (0, {"implausible_time": 1})
    assert plan(market).letters.height == 1


def test_records_without_headers_can_be_sent_under_another_default_source(market: SmallMarket) -> None:
    market.log.append(LANES[0], b"{", timestamp_ms=1)
    frame = b'{"e":"trade","s":"BTCUSDT","t":1,"p":"1.5","q":"2","T":%d,"m":true}' % (time_us("10:00:00") // 1000)
    market.log.append(LANES[0], frame, timestamp_ms=time_us("10:00:00") // 1000)
    publication = cycle(market)
    letters = DeadLetters(market.lake, publication).of()
    found = plan_resending(
        market.lake, publication, letters, market.log.open_reader, SHIPPED_SOURCES, "binance-spot", lambda: NOON
    )
    (message,) = found.messages()
    assert message == (None, frame, [("first_at", f"{LANES[0]}:1".encode())])
    assert found.refused == {"broken_json": 1}


def test_while_the_batch_side_has_another_decoder_nothing_is_sent(
    market: SmallMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk_trade(market)
    with monkeypatch.context() as old_code:
        old_code.setattr("batch_layer.cycle.DECODER_HASH", "another decoder")
        cycle(market)
    with pytest.raises(DecoderDiffers, match="one version of Twofold in all parts"):
        plan(market)
    cycle(market)
    assert plan(market).letters.height == 1


def test_a_conflict_is_not_sent_since_it_would_be_one_again(market: SmallMarket) -> None:
    market.trade("10:00:00", trade_id=7)
    market.trade("10:00:00", trade_id=7, price="101", lane=1)
    market.poison()
    cycle(market)
    found = plan(market)
    assert (found.letters.height, found.sent_before) == (0, 0)
    assert found.refused == {"broken_json": 1, "conflict": 1}


def test_what_became_a_conflict_when_it_was_retried_is_not_sent_once_more(market: SmallMarket) -> None:
    desk_trade(market, 7)
    cycle(market)
    desk_trade(market, 7, clock="10:00:01")
    cycle(market, MENDED)
    assert send(market, plan(market)) == 1
    publication = cycle(market, MENDED)
    letters = DeadLetters(market.lake, publication)
    assert letters.of("conflict").collect()["offset"].to_list() == [0]
    for only in (None, 0):
        again = plan(market, only=only)
        assert (again.letters.height, again.sent_before, again.refused) == (0, 0, {"conflict": 1})


def test_of_no_dead_letters_none_is_sent(market: SmallMarket) -> None:
    market.trade("10:00:00")
    cycle(market)
    found = plan(market)
    assert (list(found.messages()), found.sent_before, found.refused) == ([], 0, {})
