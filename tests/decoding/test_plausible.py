from __future__ import annotations

import pytest
from record_maker import EVENT_US, LOGGED_MS, SOURCES, batch, canonical, refusal_among_good, unquoted

from twofold.decoding import Reason, decode

HOUR_US = 3_600_000_000
AHEAD_US = 300_000_000
GENESIS_US = 1_230_940_800_000_000
"""2009-01-03T00:00:00Z."""


@pytest.mark.parametrize(
    "symbol",
    ["BTC/USDT", "..", ".", "BTC..USDT", "../../etc", "A" * 300, "A" * 65, "", "-BTC", ".BTC", "BTC.", "BTC USDT",
     "BTC\\X", "BTC\n", "BTC%2F", "ÄTH", "BTC\x00"],
)  # fmt: skip
def test_a_symbol_that_is_not_safe_becomes_a_dead_letter(symbol: str) -> None:
    reason, detail = refusal_among_good(canonical(symbol=symbol))
    assert reason is Reason.BAD_SYMBOL
    assert str(len(symbol)) in detail


@pytest.mark.parametrize(
    "symbol", ["BTCUSDT", "BTC-USD", "BRK.B", "1000SHIB_USDT", "btc-27dec24-100000-C", "A", "A" * 64]
)
def test_a_usual_symbol_is_read(symbol: str) -> None:
    decoded = decode([batch([canonical(symbol=symbol)])], SOURCES, "plain")
    assert decoded.trades["symbol"].to_list() == [symbol]


@pytest.mark.parametrize("event_us", [0, 1, -1, GENESIS_US - 1, -(2**63)])
def test_an_event_before_any_market_becomes_a_dead_letter(event_us: int) -> None:
    reason, detail = refusal_among_good(canonical(event_time_us=event_us))
    assert reason is Reason.IMPLAUSIBLE_TIME
    assert "before 2009-01-03" in detail


@pytest.mark.parametrize("ahead_us", [24 * HOUR_US, AHEAD_US + 1])
def test_an_event_a_day_ahead_becomes_a_dead_letter(ahead_us: int) -> None:
    reason, detail = refusal_among_good(canonical(event_time_us=LOGGED_MS * 1000 + ahead_us))
    assert reason is Reason.IMPLAUSIBLE_TIME
    assert "five minutes after" in detail


@pytest.mark.parametrize("number", [str(2**63), "9" * 40, "-" + "9" * 40])
def test_an_event_time_beyond_64_bits_becomes_a_dead_letter(number: str) -> None:
    reason, _ = refusal_among_good(unquoted("event_time_us", number))
    assert reason is Reason.IMPLAUSIBLE_TIME


def test_the_greatest_64_bit_event_time_becomes_a_dead_letter() -> None:
    reason, _ = refusal_among_good(canonical(event_time_us=2**63 - 1))
    assert reason is Reason.IMPLAUSIBLE_TIME


def test_an_event_at_the_edges_of_the_plausible_is_read() -> None:
    last = LOGGED_MS * 1000 + AHEAD_US
    decoded = decode([batch([canonical(event_time_us=time) for time in (GENESIS_US, last)])], SOURCES, "plain")
    assert decoded.trades["event_time"].to_physical().to_list() == [GENESIS_US, last]


def test_an_arrival_is_never_before_its_event() -> None:
    ahead = LOGGED_MS * 1000 + 1_300_000
    decoded = decode([batch([canonical(event_time_us=time) for time in (EVENT_US, ahead)])], SOURCES, "plain")
    assert decoded.trades["arrival_time"].to_physical().to_list() == [LOGGED_MS * 1000, ahead]
