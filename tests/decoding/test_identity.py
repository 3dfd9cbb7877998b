"""Identity: a dead letter names the trade that it would have been, or nothing at all."""

from __future__ import annotations

import json

import pytest
from record_maker import EVENT_US, SOURCES, binance, canonical, unquoted, without, wrapped
from record_maker import batch as batch_of

from twofold.decoding import decode
from twofold.decoding.binance import identify_binance
from twofold.decoding.canonical import identify_canonical
from twofold.decoding.dead_letter import Refused

NOTHING = (None, None, None, None)
BTC_7 = ("testing", "BTCUSDT", 7, None)


def identity_of(
    value: bytes | None, source: bytes = b"plain", key: bytes | None = b"BTCUSDT", **headers: bytes
) -> tuple[object, ...]:
    """Venue, symbol, trade id and trade key of the one dead letter that a value becomes."""
    marked = (("source", source), *headers.items())
    rejected = decode([batch_of([value], keys=[key], headers=[marked])], SOURCES, "plain").rejected
    (identity,) = rejected.select("venue", "symbol", "trade_id", "trade_key").rows()
    return identity


@pytest.mark.parametrize(
    "value",
    [
        canonical(price="1.000000001"),
        canonical(price="-1"),
        canonical(price=None),
        canonical(size=True),
        canonical(side="hold"),
        canonical(event_time_us=0),
        canonical(event_time_us=EVENT_US * 2),
        canonical(event_time_us=2**70),
        without("price"),
        without("side"),
        unquoted("price", "9007199254.74099301"),
    ],
)
def test_a_trade_with_a_mistake_elsewhere_still_says_which_it_is(value: bytes) -> None:
    assert identity_of(value) == BTC_7


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{",
        b"[7]",
        b"\xff",
        canonical() + canonical(),
        canonical(trade_id="7", price="0"),
        canonical(trade_id=-1),
        canonical(trade_id=2**63),
        canonical(trade_id=7.5),
        canonical(trade_id=None),
        canonical(symbol="../BTC"),
        canonical(symbol="BTC\n"),
        canonical(symbol="A" * 65),
        canonical(symbol=7),
        without("symbol"),
        without("trade_id"),
        canonical(price="1" * 70_000),
    ],
)
def test_what_does_not_say_for_sure_says_nothing(value: bytes | None) -> None:
    assert identity_of(value) == NOTHING


def test_the_venue_is_the_sources_own() -> None:
    assert identity_of(canonical(price="0"), b"collected") == ("gathered", "BTCUSDT", 7, None)


def test_a_record_of_a_source_that_is_not_declared_says_nothing() -> None:
    assert identity_of(canonical(), b"nobody") == NOTHING


def test_a_bad_key_or_a_bad_collectors_time_does_not_hide_which_trade_it_is() -> None:
    assert identity_of(canonical(), key=b"\xff") == BTC_7
    assert identity_of(canonical(), b"collected", collected_us=b"soon") == ("gathered", "BTCUSDT", 7, None)


@pytest.mark.parametrize("form", [bytes, wrapped])
def test_a_frame_says_which_trade_it_is_bare_and_wrapped(form: type[bytes]) -> None:
    assert identity_of(form(binance(p="0", t=9)), b"binance-spot") == ("binance", "BTCUSDT", 9, None)


@pytest.mark.parametrize("kind", ["kline", None, 5])
def test_a_frame_about_something_else_says_nothing(kind: object) -> None:
    assert identity_of(binance(e=kind), b"binance-spot") == NOTHING
    assert identity_of(wrapped(binance(e=kind)), b"binance-spot") == NOTHING


def test_of_a_repeated_field_the_last_counts_as_in_a_trade() -> None:
    twice = canonical(price="0")[:-1] + b', "trade_id": 8}'
    assert identity_of(twice) == ("testing", "BTCUSDT", 8, None)


@pytest.mark.parametrize("identify", [identify_canonical, identify_binance])
def test_what_cannot_be_identified_is_refused(identify: type[object]) -> None:
    with pytest.raises(Refused):
        identify(json.dumps({"symbol": "A", "s": "A"}).encode())


def test_good_and_bad_neighbours_keep_their_own() -> None:
    values = [canonical(trade_id=1), canonical(trade_id=2, price="0"), b"{", canonical(trade_id=4, side="x")]
    decoded = decode([batch_of(values)], SOURCES, "plain")
    assert decoded.trades["trade_id"].to_list() == [1]
    assert decoded.rejected["trade_id"].to_list() == [2, None, 4]
