from __future__ import annotations

from record_maker import LANE, SOURCES, batch, canonical, refusal_among_good

from twofold.decoding import Reason, decode
from twofold.decoding.framing import LARGEST_VALUE_BYTES


def test_a_tombstone_becomes_a_dead_letter() -> None:
    reason, detail = refusal_among_good(None)
    assert reason is Reason.TOMBSTONE
    assert "tombstone" in detail


def test_an_empty_value_becomes_a_dead_letter() -> None:
    reason, _ = refusal_among_good(b"")
    assert reason is Reason.EMPTY_VALUE


def test_a_record_of_8_mb_becomes_a_dead_letter_unparsed() -> None:
    reason, detail = refusal_among_good(b'{"symbol":"' + b"A" * 8_000_000 + b'"}')
    assert reason is Reason.TOO_LARGE
    assert "8,000,013" in detail


def test_the_largest_value_is_still_read() -> None:
    value = canonical().ljust(LARGEST_VALUE_BYTES)
    decoded = decode([batch([value, value + b" "])], SOURCES, "plain")
    assert decoded.trades["offset"].to_list() == [100]
    assert decoded.rejected["reason"].to_list() == [Reason.TOO_LARGE]


def test_a_value_that_is_not_utf8_becomes_a_dead_letter() -> None:
    reason, detail = refusal_among_good(canonical(symbol="BTC").replace(b"BTC", b"BT\xff"))
    assert reason is Reason.NOT_UTF8
    assert "\\xff" in detail


def test_a_value_that_is_not_utf8_in_an_unknown_field_becomes_a_dead_letter() -> None:
    reason, _ = refusal_among_good(canonical(note="N").replace(b'"N"', b'"\xc3"'))
    assert reason is Reason.NOT_UTF8


def test_text_beyond_ascii_in_an_unknown_field_is_read() -> None:
    decoded = decode([batch([canonical(note="N").replace(b'"N"', '"ü"'.encode())])], SOURCES, "plain")
    assert decoded.trades.height == 1


def test_a_key_that_is_not_utf8_becomes_a_dead_letter() -> None:
    reason, detail = refusal_among_good(canonical(), key=b"\xfe\x00BTC")
    assert reason is Reason.BAD_KEY
    assert "\\xfe" in detail


def test_two_halves_of_one_character_in_neighbouring_keys_are_both_refused() -> None:
    first, second = "é".encode()[:1], "é".encode()[1:]
    decoded = decode([batch([canonical()] * 3, keys=[first, second, "é".encode()])], SOURCES, "plain")
    assert decoded.trades["offset"].to_list() == [102]
    assert decoded.rejected["offset"].to_list() == [100, 101]
    assert decoded.rejected["lane"].to_list() == [LANE, LANE]


def test_an_absent_and_an_empty_key_are_fine() -> None:
    decoded = decode([batch([canonical()] * 2, keys=[None, b""])], SOURCES, "plain")
    assert decoded.trades.height == 2


def test_a_bad_value_under_a_bad_key_is_one_dead_letter_about_the_value() -> None:
    reason, _ = refusal_among_good(None, key=b"\xff")
    assert reason is Reason.TOMBSTONE
