from __future__ import annotations

from twofold.decoding import Reason
from twofold.decoding.dead_letter import shorten


def test_every_reason_has_a_short_code_and_a_sentence() -> None:
    for reason in Reason:
        assert reason == reason.value
        assert reason.value.replace("_", "").isalnum()
        assert reason.sentence.endswith(".")


def test_an_offending_bit_is_shown_in_one_short_printable_line() -> None:
    assert shorten("BTC") == "`BTC`"
    assert shorten("a\nb") == "`a\\nb`"
    assert shorten(b"\xff\x00") == "`\\\\xff\\x00`"
    assert len(shorten(b"9" * 8_000_000)) < 60
    assert shorten(None) == "`None`"
