from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from record_maker import EVENT_US, LANE, LOGGED_MS, SOURCES, batch, canonical, refusal_among_good, unquoted, without

from twofold.decoding import Decoded, Reason, decode
from twofold.decoding.trade_key import number_of

FIELDS = ["symbol", "trade_id", "price", "size", "side", "event_time_us"]


def test_a_good_record_becomes_a_trade() -> None:
    decoded = decode([batch([canonical(side="sell", extra={"deep": [1]})])], SOURCES, "plain")
    assert decoded.rejected.is_empty()
    assert decoded.trades.to_dicts() == [
        {
            "venue": "testing",
            "symbol": "BTCUSDT",
            "trade_id": 7,
            "trade_key": None,
            "price": Decimal("61837.63"),
            "size": Decimal("0.02"),
            "notional": Decimal("1236.7526"),
            "side": "sell",
            "event_time": datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=EVENT_US),
            "arrival_time": datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=LOGGED_MS),
            "lane": LANE,
            "offset": 100,
        }
    ]


@pytest.mark.parametrize(
    "broken",
    [b"{", b"not json", canonical()[:-1], canonical() + b"}", b"\xef\xbb\xbf" + canonical(), b"\n", b'{"symbol": NaN}'],
)
def test_broken_json_becomes_a_dead_letter(broken: bytes) -> None:
    reason, _ = refusal_among_good(broken)
    assert reason is Reason.BROKEN_JSON


def test_broken_json_in_an_unknown_field_becomes_a_dead_letter() -> None:
    reason, _ = refusal_among_good(canonical(extra="E").replace(b'"E"', b"01"))
    assert reason is Reason.BROKEN_JSON


def test_half_a_surrogate_becomes_a_dead_letter() -> None:
    reason, _ = refusal_among_good(canonical(symbol="S").replace(b'"S"', b'"\\ud800"'))
    assert reason is Reason.BROKEN_JSON


def test_json_nested_too_deeply_becomes_a_dead_letter() -> None:
    deep = canonical(extra="E").replace(b'"E"', b"[" * 20_000 + b"]" * 20_000)
    reason, detail = refusal_among_good(deep)
    assert reason is Reason.BROKEN_JSON
    assert "nested" in detail


def test_a_newline_between_the_fields_is_lawful_json() -> None:
    value = canonical().replace(b", ", b",\n")
    decoded = decode([batch([canonical(), value, canonical()])], SOURCES, "plain")
    assert decoded.trades["offset"].to_list() == [100, 101, 102]


def test_a_newline_inside_a_text_becomes_a_dead_letter() -> None:
    reason, _ = refusal_among_good(canonical(symbol="BTC-X").replace(b"-", b"\n"))
    assert reason is Reason.BROKEN_JSON


def test_two_objects_in_one_value_become_one_dead_letter() -> None:
    reason, _ = refusal_among_good(canonical() + b"\n" + canonical())
    assert reason is Reason.BROKEN_JSON


@pytest.mark.parametrize("value", [b"[]", b"null", b"5", b'"text"', b"true"])
def test_json_that_is_no_object_becomes_a_dead_letter(value: bytes) -> None:
    reason, _ = refusal_among_good(value)
    assert reason is Reason.NOT_AN_OBJECT


@pytest.mark.parametrize("field", FIELDS)
def test_a_missing_field_becomes_a_dead_letter(field: str) -> None:
    reason, detail = refusal_among_good(without(field))
    assert reason is Reason.MISSING_FIELD
    assert f"`{field}`" in detail


@pytest.mark.parametrize("field", FIELDS)
def test_a_null_field_becomes_a_dead_letter(field: str) -> None:
    reason, detail = refusal_among_good(canonical(**{field: None}))
    assert reason is Reason.NULL_FIELD
    assert f"`{field}`" in detail


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("symbol", 5),
        ("trade_id", "7"),
        ("trade_id", 7.5),
        ("trade_id", 7.0),
        ("trade_id", True),
        ("price", ["1"]),
        ("price", True),
        ("size", {"amount": "1"}),
        ("side", 1),
        ("event_time_us", str(EVENT_US)),
        ("event_time_us", 1e15),
    ],
)
def test_a_field_of_the_wrong_type_becomes_a_dead_letter(field: str, value: object) -> None:
    reason, detail = refusal_among_good(canonical(**{field: value}))
    assert reason is Reason.WRONG_TYPE
    assert f"`{field}`" in detail


@pytest.mark.parametrize("number", ["-1", "9223372036854775808", "9" * 40, "9" * 5000])
def test_a_trade_id_out_of_range_becomes_a_dead_letter(number: str) -> None:
    reason, _ = refusal_among_good(unquoted("trade_id", number))
    assert reason is Reason.BAD_TRADE_ID


def test_the_least_and_the_greatest_trade_id_are_read() -> None:
    decoded = decode([batch([canonical(trade_id=0), canonical(trade_id=2**63 - 1)])], SOURCES, "plain")
    assert decoded.trades["trade_id"].to_list() == [0, 2**63 - 1]


@pytest.mark.parametrize("side", ["Buy", "SELL", "", "both"])
def test_an_unknown_side_becomes_a_dead_letter(side: str) -> None:
    reason, _ = refusal_among_good(canonical(side=side))
    assert reason is Reason.BAD_SIDE


def test_of_a_repeated_field_the_last_counts_on_both_ways_of_reading() -> None:
    strict = canonical().replace(b"{", b'{"trade_id": 1, ')
    careful = unquoted("price", "5").replace(b"{", b'{"trade_id": 1, ')
    decoded = decode([batch([strict, careful])], SOURCES, "plain")
    assert decoded.trades["trade_id"].to_list() == [7, 7]


def keyed(trade_id: object, **changes: object) -> Decoded:
    return decode([batch([canonical(trade_id=trade_id, **changes)])], SOURCES, "keyed")


@pytest.mark.parametrize("key", ["0x9f2c", "é", "7", " ", "a" * 128, "\U0001f9ff" * 128, "\x00"])
def test_an_opaque_source_has_text_as_ids_and_a_number_below_zero_stands_for_it(key: str) -> None:
    decoded = keyed(key)
    assert decoded.rejected.is_empty()
    (row,) = decoded.trades.to_dicts()
    assert (row["venue"], row["trade_key"], row["trade_id"]) == ("keyed", key, number_of(key))


@pytest.mark.parametrize(
    ("trade_id", "reason"),
    [(7, "wrong_type"), (None, "null_field"), ("", "bad_trade_id"), ("a" * 129, "bad_trade_id"), (["a"], "wrong_type")],
)
def test_what_is_no_key_is_a_dead_letter_that_names_no_trade(trade_id: object, reason: str) -> None:
    (letter,) = keyed(trade_id).rejected.to_dicts()
    assert (letter["reason"], letter["trade_id"], letter["trade_key"]) == (reason, None, None)


def test_half_a_surrogate_pair_is_no_key() -> None:
    value = canonical(trade_id="PLACE").replace(b"PLACE", b"\\ud800")
    (letter,) = decode([batch([value])], SOURCES, "keyed").rejected.to_dicts()
    assert (letter["trade_id"], letter["trade_key"]) == (None, None)


def test_a_dead_letter_of_an_opaque_source_says_which_trade_it_would_have_been() -> None:
    (letter,) = keyed("0x9f2c", price="0").rejected.to_dicts()
    assert (letter["venue"], letter["symbol"], letter["trade_key"]) == ("keyed", "BTCUSDT", "0x9f2c")
    assert letter["trade_id"] == number_of("0x9f2c")


def test_a_number_and_its_text_are_ids_of_different_kinds_of_sources() -> None:
    batches = [batch([canonical(trade_id="7"), canonical(trade_id=7)])]
    assert decode(batches, SOURCES, "plain").trades["trade_id"].to_list() == [7]
    assert decode(batches, SOURCES, "keyed").trades["trade_key"].to_list() == ["7"]


def test_an_unquoted_price_that_is_not_bent_is_read_beside_a_key_too() -> None:
    value = unquoted("price", "61837.5").replace(b'"trade_id": 7', b'"trade_id": "k"')
    (row,) = decode([batch([value])], SOURCES, "keyed").trades.to_dicts()
    assert (row["trade_key"], row["price"]) == ("k", Decimal("61837.5"))
