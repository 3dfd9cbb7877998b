"""Trade keys: one number each, below zero, the same everywhere and for ever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from twofold.decoding.trade_key import number_of, numbers_of


def test_the_numbers_are_those_that_lakes_hold_already() -> None:
    # XXH3-64 of "abc", by xxHash's own tool: 78af5f94892f3950; its sign bit is not set.
    assert number_of("abc") == 0x78AF5F94892F3950 - 2**63


def test_where_the_sign_bit_is_set_it_stays() -> None:
    assert number_of("a") == 0xE6C632B61E964E1F - 2**64


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=128))
def test_every_key_has_one_number_below_zero_that_fits_64_bits(key: str) -> None:
    assert -(2**63) <= number_of(key) < 0
    assert numbers_of([key, "other", key]).to_list() == [number_of(key), number_of("other"), number_of(key)]


def test_no_keys_have_no_numbers() -> None:
    assert numbers_of([]).to_list() == []
