from __future__ import annotations

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_maker import SOURCES, batch, canonical, refusal_among_good, unquoted

from twofold.decoding import Reason, decode

DIGITS = "0123456789"
unscaled = st.integers(min_value=1, max_value=10**18 - 1)


def written(number: int, places: int) -> str:
    """A number of 10^-8 units as text: with all places, or those that it needs but at least `places`."""
    whole, fraction = divmod(number, 10**8)
    text = f"{fraction:08d}"
    while len(text) > places and text.endswith("0"):
        text = text[:-1]
    return f"{whole}.{text}" if text else str(whole)


def is_plain(text: str) -> bool:
    whole, point, places = text.partition(".")
    if not whole or any(digit not in DIGITS for digit in whole + places) or (point and not places):
        return False
    return len(whole) <= 10 and len(places) <= 8 and any(digit != "0" for digit in whole + places)


@given(st.lists(st.tuples(unscaled, unscaled, st.integers(0, 8)), min_size=1, max_size=20))
def test_price_size_and_notional_are_exact_or_the_record_is_refused(trades: list[tuple[int, int, int]]) -> None:
    values = [canonical(price=written(p, places), size=written(s, places)) for p, s, places in trades]
    decoded = decode([batch(values)], SOURCES, "plain")
    expected = []
    with localcontext(prec=80):
        for place, (p, s, _) in enumerate(trades):
            price, size = Decimal(p).scaleb(-8), Decimal(s).scaleb(-8)
            if price * size < 10**12:
                expected.append((100 + place, price, size, price * size))
    assert decoded.trades.select("offset", "price", "size", "notional").rows() == expected
    assert set(decoded.rejected["reason"]) <= {Reason.NOTIONAL_TOO_LARGE}
    assert decoded.trades.height + decoded.rejected.height == len(values)


@given(st.lists(st.text("0123456789.eE+-_ ,nainf٣", max_size=22), min_size=1, max_size=20))
def test_a_text_is_a_price_only_if_it_is_plain(texts: list[str]) -> None:
    decoded = decode([batch([canonical(price=text, size="0.00000001") for text in texts])], SOURCES, "plain")
    plain = [(100 + place, Decimal(text)) for place, text in enumerate(texts) if is_plain(text)]
    assert decoded.trades.select("offset", "price").rows() == plain
    assert decoded.rejected.height == len(texts) - len(plain)


@given(st.lists(st.tuples(unscaled, st.integers(0, 8)), min_size=1, max_size=20))
def test_an_unquoted_number_is_exact_or_refused(numbers: list[tuple[int, int]]) -> None:
    texts = [written(number, places) for number, places in numbers]
    decoded = decode(
        [batch([unquoted("price", text).replace(b'"0.02"', b"0.00000001") for text in texts])], SOURCES, "plain"
    )
    exact = dict(decoded.trades.select("offset", "price").rows())
    for offset, price in exact.items():
        assert price == Decimal(texts[offset - 100])
    for place, text in enumerate(texts):
        if len(text.replace(".", "").strip("0")) <= 15:
            assert 100 + place in exact
    assert set(decoded.rejected["reason"]) <= {Reason.BENT_NUMBER}


@pytest.mark.parametrize(
    "text",
    ["", "abc", "12abc", "NaN", "nan", "inf", "Infinity", "1e5", "1E-7", "+1", "1.", ".5", "1,5", " 1", "1 ", "1_0",
     "0x10", "1.2.3", "1\n", "٣"],
)  # fmt: skip
@pytest.mark.parametrize("field", ["price", "size"])
def test_text_that_is_no_plain_number_becomes_a_dead_letter(field: str, text: str) -> None:
    reason, detail = refusal_among_good(canonical(**{field: text}))
    assert reason is Reason.NOT_PLAIN
    assert field in detail


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-1", Reason.NOT_POSITIVE),
        ("-0.5", Reason.NOT_POSITIVE),
        ("0", Reason.NOT_POSITIVE),
        ("0.00000000", Reason.NOT_POSITIVE),
        ("0.123456789", Reason.TOO_MANY_PLACES),
        ("1.000000000", Reason.TOO_MANY_PLACES),
        ("10000000000", Reason.TOO_MANY_DIGITS),
        ("9" * 40, Reason.TOO_MANY_DIGITS),
        ("9" * 30_000, Reason.TOO_MANY_DIGITS),
    ],
)
@pytest.mark.parametrize("field", ["price", "size"])
def test_a_number_that_does_not_fit_becomes_a_dead_letter(field: str, text: str, expected: Reason) -> None:
    reason, detail = refusal_among_good(canonical(**{field: text}))
    assert reason is expected
    assert field in detail


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("9007199254.74099301", Reason.BENT_NUMBER),
        ("0.1000000000000000055511151231257827", Reason.BENT_NUMBER),
        ("9007199254740993", Reason.BENT_NUMBER),
        ("9" * 40, Reason.BENT_NUMBER),
        ("9" * 400, Reason.BENT_NUMBER),
        ("0.30000000000000004", Reason.TOO_MANY_PLACES),
        ("9007199254740992", Reason.TOO_MANY_DIGITS),
        ("1e5", Reason.NOT_PLAIN),
        ("1e9999999999999999999999", Reason.NOT_PLAIN),
        ("-1", Reason.NOT_POSITIVE),
        ("-0", Reason.NOT_POSITIVE),
        ("0", Reason.NOT_POSITIVE),
        ("NaN", Reason.BROKEN_JSON),
        ("Infinity", Reason.BROKEN_JSON),
    ],
)
@pytest.mark.parametrize("field", ["price", "size"])
def test_an_unquoted_number_that_is_not_exact_becomes_a_dead_letter(field: str, number: str, expected: Reason) -> None:
    reason, _ = refusal_among_good(unquoted(field, number))
    assert reason is expected


@pytest.mark.parametrize("number", ["61837.63", "5", "0.1", "0.00000001", "100000000.12345678"])
def test_an_unquoted_number_that_a_float_keeps_is_read(number: str) -> None:
    decoded = decode([batch([unquoted("price", number)])], SOURCES, "plain")
    assert decoded.trades["price"].to_list() == [Decimal(number)]


def test_a_notional_of_10_to_the_12_becomes_a_dead_letter() -> None:
    reason, detail = refusal_among_good(canonical(price="1000000", size="1000000"))
    assert reason is Reason.NOTIONAL_TOO_LARGE
    assert "1000000000000.0000000000000000" in detail


def test_the_greatest_numbers_do_not_wrap() -> None:
    reason, detail = refusal_among_good(canonical(price="9999999999.99999999", size="9999999999.99999999"))
    assert reason is Reason.NOTIONAL_TOO_LARGE
    assert "99999999999999999800.0000000000000001" in detail


def test_the_greatest_notional_is_read_to_the_last_digit() -> None:
    decoded = decode([batch([canonical(price="9999999999.99999999", size="99.99999999")])], SOURCES, "plain")
    assert str(decoded.trades["notional"][0]) == "999999999899.9999990000000001"
