"""Trade keys: one number each, below zero, the same everywhere and for ever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from twofold.decoding.trade_key import number_of


def test_the_numbers_are_those_that_lakes_hold_already() -> None:
    # BLAKE2b-64 of "abc", by b2sum -l 64: d8bb14d833d59559; its sign bit is set.
    assert number_of("abc") == 0xD8BB14D833D59559 - 2**64


def test_where_the_sign_bit_is_not_set_it_is_set() -> None:
    # BLAKE2b-64 of "a", by b2sum -l 64: 40f89e395b66422f.
    assert number_of("a") == 0x40F89E395B66422F - 2**63


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=128))
def test_every_key_has_a_number_below_zero_that_fits_64_bits(key: str) -> None:
    assert -(2**63) <= number_of(key) < 0
