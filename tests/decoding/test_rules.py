from __future__ import annotations

from twofold.decoding import DECODER_HASH
from twofold.decoding.rules import RULES, hash_of

KNOWN_HASH = "05ec0437633eaa8ce87db5ce8ef8c89d5a5874ebc68f65573904b167e7c202a2"


def test_the_hash_is_that_of_the_declared_rules() -> None:
    assert hash_of(RULES) == DECODER_HASH
    assert len(DECODER_HASH) == 64


def test_the_hash_changes_with_any_rule() -> None:
    lines = RULES.splitlines()
    hashes = {hash_of("\n".join([*lines[:place], line + "!", *lines[place + 1 :]])) for place, line in enumerate(lines)}
    assert len(hashes) == len(lines)
    assert DECODER_HASH not in hashes


def test_the_rules_are_the_published_ones() -> None:
    """A change here is a change of what receipts and publications mean: trades made before need the old decoder."""
    assert DECODER_HASH == KNOWN_HASH
