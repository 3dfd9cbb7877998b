"""Answers over a small lake made by real batch cycles, and over the state of a real speed worker."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from eventually import eventually
from small_market import DAY, LANES, SmallMarket

from serving.answer import Answer, answer
from serving.batch_side import load_batch_side
from serving.query import BaseChoice, parse_query
from serving.seam import Pair
from serving.speed_side import SpeedClient, SpeedSide
from twofold.decoding import DECODER_HASH
from twofold.errors import BaseGone, UnknownName
from twofold.publication import Publications
from twofold.source import SHIPPED_SOURCES, sources_hash
from twofold.view import View
from twofold.views import VIEWS


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    return SmallMarket(tmp_path)


def ask(
    pair: Pair,
    view: View = VIEWS["bars"],
    *,
    venue: str | None = None,
    symbol: str | None = None,
    interval: str | None = None,
    start: str | None = None,
    end: str | None = None,
    last: int | None = None,
    base: BaseChoice = "live",
) -> Answer:
    query = parse_query(view, venue=venue, symbol=symbol, interval=interval, start=start, end=end, last=last, base=base)
    return answer(query, pair)


def published(market: SmallMarket) -> Pair:
    """The batch side alone."""
    return Pair(load_batch_side(market.lake, market.views, Publications(market.lake).newest(), None))


def live(market: SmallMarket) -> Pair:
    """The newest publication with the speed state that has all that is logged."""
    alone = published(market)
    with market.live_side() as address:
        client = SpeedClient(address)

        def caught_up() -> SpeedSide | None:
            try:
                state = client.follow(alone.batch.publication.sequence, None, 0)
            except BaseGone:
                return None
            return state if state.header.positions == market.log.end_offsets() and state.frames else None

        speed = eventually(caught_up)
        client.close()
    return replace(alone, speed=speed, mode="live")


def finality(found: Answer) -> dict[tuple[str, str], str]:
    """Finality by symbol and the minute at which the window starts."""
    return {(row["symbol"], f"{row['window_start']:%H:%M}"): row["finality"] for row in found.rows.to_dicts()}


def windows(found: Answer) -> list[tuple[str, str, int]]:
    return [(row["symbol"], f"{row['window_start']:%H:%M}", row["trades"]) for row in found.rows.to_dicts()]


def test_a_row_adds_up_what_is_published_and_what_is_live(market: SmallMarket) -> None:
    market.trade("10:00:10", price="100.5", size="1")
    market.trade("10:00:20", price="103", size="0.5")
    market.cycle()
    market.trade("10:00:05", price="99.25", size="2.00000001", lane=1)
    market.trade("10:00:30", price="101", size="0.25")

    (row,) = ask(live(market)).json_rows()

    assert row == {
        "venue": "simulator",
        "symbol": "BTCUSDT",
        "window_start": f"{DAY}T10:00:00Z",
        "window_end": f"{DAY}T10:01:00Z",
        "open": "99.25000000",
        "high": "103.00000000",
        "low": "99.25000000",
        "close": "101.00000000",
        "volume": "3.75000001",
        "notional": "375.7500009925000000",
        "trades": 4,
        "vwap": "100.20000000",
        "finality": "provisional",
        "revisions": 0,
    }


def test_a_repeat_of_what_is_published_does_not_count_again_live(market: SmallMarket) -> None:
    number = market.trade("10:00:10")
    market.cycle()
    market.trade("10:00:10", trade_id=number, lane=1)
    assert windows(ask(live(market))) == [("BTCUSDT", "10:00", 1)]


def test_a_window_is_closed_once_the_published_watermark_has_passed_its_end(market: SmallMarket) -> None:
    market.trade("10:00:59")
    for clock in ("10:01:00", "10:01:30", "10:01:59"):
        market.trade(clock, symbol="ETHUSDT")
    market.cycle()  # the third newest time is 10:01:00, on the dot of the first window's end
    assert finality(ask(published(market))) == {("BTCUSDT", "10:00"): "closed", ("ETHUSDT", "10:01"): "provisional"}


def test_one_wild_clock_closes_nothing(market: SmallMarket) -> None:
    for clock in ("10:00:10", "10:00:20", "10:00:30"):
        market.trade(clock)
    market.trade("23:00:00", symbol="WILDUSDT")
    market.cycle()
    assert finality(ask(published(market)))["BTCUSDT", "10:00"] == "provisional"


def test_a_closed_window_that_a_live_trade_falls_in_is_provisional(market: SmallMarket) -> None:
    market.trade("10:00:10")
    market.trade("10:01:10")
    for clock in ("10:05:00", "10:05:01", "10:05:02"):
        market.trade(clock)
    market.cycle()
    market.trade("10:00:30", arrives="10:05:10")
    assert finality(ask(live(market))) == {
        ("BTCUSDT", "10:00"): "provisional",
        ("BTCUSDT", "10:01"): "closed",
        ("BTCUSDT", "10:05"): "provisional",
    }


def test_a_closed_window_that_a_cycle_changes_is_revised_with_its_revisions(market: SmallMarket) -> None:
    market.trade("10:00:10")
    for clock in ("10:05:00", "10:05:01", "10:05:02"):
        market.trade(clock)
    market.cycle()
    for second in (20, 30):
        market.trade(f"10:00:{second}", arrives="10:05:10")
        market.cycle()
    late = ask(published(market), end=f"{DAY}T10:05:00Z").rows
    assert late.select("finality", "revisions", "trades").rows() == [("revised", 2, 3)]


def test_a_view_may_allow_lateness_before_it_closes(tmp_path: Path) -> None:
    patient = replace(VIEWS["bars"], lateness=timedelta(minutes=4))
    market = SmallMarket(tmp_path, {"bars": patient})
    market.trade("10:00:10")
    market.trade("10:01:10")
    for clock in ("10:05:00", "10:05:01", "10:05:02"):
        market.trade(clock)
    market.cycle()
    assert finality(ask(published(market), patient)) == {
        ("BTCUSDT", "10:00"): "closed",
        ("BTCUSDT", "10:01"): "provisional",
        ("BTCUSDT", "10:05"): "provisional",
    }


def test_a_coarser_interval_merges_the_minutes(market: SmallMarket) -> None:
    for clock, price in (("10:04:59", "1"), ("10:05:00", "2"), ("10:07:00", "5"), ("10:09:59", "3"), ("10:10:00", "4")):
        market.trade(clock, price=price)
    market.cycle()
    rows = ask(published(market), interval="5m").json_rows()
    assert [(row["window_start"][11:16], row["window_end"][11:16]) for row in rows] == [
        ("10:00", "10:05"),
        ("10:05", "10:10"),
        ("10:10", "10:15"),
    ]
    middle = rows[1]
    assert (middle["open"], middle["high"], middle["low"], middle["close"]) == (
        "2.00000000",
        "5.00000000",
        "2.00000000",
        "3.00000000",
    )
    assert (middle["trades"], middle["volume"], middle["vwap"]) == (3, "3.00000000", "3.33333333")


def test_a_coarser_window_is_as_final_as_its_weakest_part(market: SmallMarket) -> None:
    for clock in ("10:00:10", "10:04:10", "10:05:10", "10:06:10", "10:10:00", "10:10:01", "10:10:02"):
        market.trade(clock)
    market.cycle()
    market.trade("10:04:30", arrives="10:10:10")
    market.trade("10:12:00")
    before = finality(ask(live(market), interval="5m"))
    assert before == {
        ("BTCUSDT", "10:00"): "provisional",
        ("BTCUSDT", "10:05"): "closed",
        ("BTCUSDT", "10:10"): "provisional",
    }
    market.cycle()
    after = ask(published(market), interval="5m").rows.select("finality", "revisions").rows()
    assert after == [("revised", 1), ("closed", 0), ("provisional", 0)]


@pytest.mark.parametrize("interval", ["1d", "2d", "999999d"])
def test_a_day_or_more_is_an_interval_too(market: SmallMarket, interval: str) -> None:
    for clock in ("00:00:00", "12:00:00", "23:59:59"):
        market.trade(clock)
    market.cycle()
    assert [row["trades"] for row in ask(published(market), interval=interval).json_rows()] == [3]


def test_the_start_is_inclusive_and_the_end_exclusive(market: SmallMarket) -> None:
    for minute in range(5):
        market.trade(f"10:0{minute}:30")
    market.cycle()
    pair = published(market)
    some = ask(pair, start=f"{DAY}T10:01:00Z", end=f"{DAY}T10:03:00Z")
    assert windows(some) == [("BTCUSDT", "10:01", 1), ("BTCUSDT", "10:02", 1)]
    within = ask(pair, start=f"{DAY}T10:01:00.000001Z", end=f"{DAY}T10:03:00.000001Z")
    assert windows(within) == [("BTCUSDT", "10:02", 1), ("BTCUSDT", "10:03", 1)]


def test_start_and_end_go_by_the_starts_of_coarse_windows_which_are_never_cut(market: SmallMarket) -> None:
    for minute in range(10):
        market.trade(f"10:0{minute}:30")
    market.cycle()
    pair = published(market)
    assert windows(ask(pair, interval="5m", start=f"{DAY}T10:03:00Z")) == [("BTCUSDT", "10:05", 5)]
    assert windows(ask(pair, interval="5m", end=f"{DAY}T10:03:00Z")) == [("BTCUSDT", "10:00", 5)]


def test_last_means_the_newest_windows_of_each_symbol(market: SmallMarket) -> None:
    for minute in range(4):
        market.trade(f"10:0{minute}:30")
    market.trade("09:00:30", symbol="ETHUSDT")
    market.trade("08:00:30", symbol="ETHUSDT")
    market.trade("07:00:30", symbol="ETHUSDT", source="simulator")
    market.cycle()
    assert windows(ask(published(market), last=2)) == [
        ("BTCUSDT", "10:02", 1),
        ("BTCUSDT", "10:03", 1),
        ("ETHUSDT", "08:00", 1),
        ("ETHUSDT", "09:00", 1),
    ]


def test_rows_come_by_venue_symbol_and_window(market: SmallMarket) -> None:
    for clock, symbol in (("10:01:00", "ETHUSDT"), ("10:00:00", "ETHUSDT"), ("10:02:00", "BTCUSDT")):
        market.trade(clock, symbol=symbol)
    market.cycle()
    market.trade("09:00:00", symbol="ADAUSDT", lane=1)
    found = ask(live(market))
    assert windows(found) == [
        ("ADAUSDT", "09:00", 1),
        ("BTCUSDT", "10:02", 1),
        ("ETHUSDT", "10:00", 1),
        ("ETHUSDT", "10:01", 1),
    ]


def test_a_question_may_be_about_one_symbol_or_venue(market: SmallMarket) -> None:
    market.trade("10:00:00")
    market.trade("10:00:00", symbol="ETHUSDT")
    market.cycle()
    pair = published(market)
    assert windows(ask(pair, symbol="ETHUSDT", venue="simulator")) == [("ETHUSDT", "10:00", 1)]


def test_an_unknown_symbol_is_an_error_that_names_some(market: SmallMarket) -> None:
    market.trade("10:00:00")
    market.cycle()
    market.trade("10:00:00", symbol="LIVEUSDT")
    with pytest.raises(UnknownName, match=r"no symbol 'BTCUSD'\. Did you mean 'BTCUSDT'\? Known: BTCUSDT, LIVEUSDT"):
        ask(live(market), symbol="BTCUSD")


def test_an_unknown_venue_is_an_error_that_names_some(market: SmallMarket) -> None:
    market.trade("10:00:00")
    market.cycle()
    with pytest.raises(UnknownName, match=r"no venue 'binance'\. Known: simulator"):
        ask(published(market), venue="binance")


def test_a_known_symbol_without_rows_in_the_time_asked_for_gives_none(market: SmallMarket) -> None:
    market.trade("10:00:00")
    market.cycle()
    assert ask(published(market), symbol="BTCUSDT", start=f"{DAY}T11:00:00Z").json_rows() == []


def test_a_lake_without_a_publication_gives_no_rows(market: SmallMarket) -> None:
    found = ask(published(market))
    assert found.json_rows() == []
    assert found.receipt()["sequence"] == 0
    assert found.state.freshness()["newest_event"] is None


def test_without_a_publication_everything_is_live_and_provisional(market: SmallMarket) -> None:
    market.trade("10:00:00")
    market.trade("10:30:00")
    found = ask(live(market))
    assert set(finality(found).values()) == {"provisional"}
    assert found.receipt()["cut"] == {}
    assert found.receipt()["positions"] == {LANES[0]: 2, LANES[1]: 0}


def test_a_receipt_says_what_the_answer_was_made_of(market: SmallMarket) -> None:
    market.trade("10:00:00")
    market.trade("10:00:01", lane=1)
    market.cycle()
    market.trade("10:00:02")
    receipt = ask(live(market), interval="5m", last=7).receipt()
    assert receipt == {
        "view_hash": VIEWS["bars"].hash,
        "decoder_hash": DECODER_HASH[:16],
        "sources_hash": sources_hash(SHIPPED_SOURCES, "simulator"),
        "sequence": 1,
        "cut": {LANES[0]: 1, LANES[1]: 1},
        "positions": {LANES[0]: 2, LANES[1]: 1},
        "lost": [],
        "query": {"view": "bars", "interval_us": 300_000_000, "last": 7, "base": "live"},
    }


def test_freshness_tells_the_newest_event_of_either_side_and_the_lag(market: SmallMarket) -> None:
    market.trade("10:00:05")
    market.cycle()
    market.trade("10:00:04")
    pair = live(market)
    assert ask(pair).state.freshness()["newest_event"] == f"{DAY}T10:00:05Z"
    assert pair.speed is not None
    behind = replace(pair.speed, header=pair.speed.header.model_copy(update={"ends": {LANES[0]: 12, LANES[1]: 3}}))
    fresh = ask(replace(pair, speed=behind)).state.freshness()
    assert fresh["lag_records"] == 10 + 3
    assert isinstance(fresh["age_ms"], int)
    assert fresh["speed"] == "live"


def test_the_batch_side_alone_stands_at_its_cut_and_claims_no_lag(market: SmallMarket) -> None:
    market.trade("10:00:05")
    market.cycle()
    market.trade("10:00:06")
    found = ask(replace(published(market), mode="unused"), base="published")
    assert found.receipt()["positions"] == found.receipt()["cut"] == {LANES[0]: 1, LANES[1]: 0}
    assert found.state.freshness() == {
        "newest_event": f"{DAY}T10:00:05Z",
        "lag_records": None,
        "age_ms": None,
        "speed": "unused",
        "held": None,
    }


def test_taker_flow_parts_buys_from_sells(market: SmallMarket) -> None:
    market.trade("10:00:00", size="3", price="10", side="buy")
    market.cycle()
    market.trade("10:00:01", size="1", price="20", side="sell")
    (row,) = ask(live(market), VIEWS["taker_flow"]).json_rows()
    assert {name: row[name] for name in VIEWS["taker_flow"].columns} == {
        "buy_volume": "3.00000000",
        "sell_volume": "1.00000000",
        "buy_notional": "30.0000000000000000",
        "sell_notional": "20.0000000000000000",
        "imbalance": "0.50000000",
    }
