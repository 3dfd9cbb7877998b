"""Identity: which trade a dead letter would have been, where its value still says so for sure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from twofold.decoding.binance import identify_binance
from twofold.decoding.canonical import identify_canonical, identify_canonical_key
from twofold.decoding.dead_letter import Reason, Refusal, Refused
from twofold.decoding.plausible import is_sound
from twofold.decoding.stack import Stack
from twofold.decoding.wire_format import Named
from twofold.source import Source

_IDENTIFY: dict[tuple[str, bool], Callable[[bytes], Named]] = {
    ("binance", False): identify_binance,
    ("canonical", False): identify_canonical,
    ("canonical", True): identify_canonical_key,
}
"""Read what names a trade, by wire format and whether ids are opaque; they raise `Refused` where nothing does."""

_NOT_LOOKED_INTO = {Reason.TOMBSTONE, Reason.EMPTY_VALUE, Reason.TOO_LARGE, Reason.NOT_UTF8}


class Identity(NamedTuple):
    """What tells one trade from every other."""

    venue: str
    symbol: str
    trade_id: int
    trade_key: str | None = None


def identities(
    stack: Stack, refused: Mapping[int, Refusal], source_of: Sequence[str], sources: Mapping[str, Source]
) -> dict[int, Identity]:
    """Find the identities of refused rows, by row.

    A row has one if its source is declared, its value is an object that is about a trade, and symbol and trade id in
    it are as a trade must have them. What else is wrong with the record does not matter.
    """
    found: dict[int, Identity] = {}
    for row, refusal in refused.items():
        source = sources.get(source_of[row])
        value = stack.values[row]
        if source is None or value is None or refusal.reason in _NOT_LOOKED_INTO:
            continue
        identify = _IDENTIFY.get((source.wire_format, source.is_opaque))
        if identify is None:
            continue
        try:
            named = identify(value)
        except Refused:
            continue
        if is_sound(named.symbol):
            found[row] = Identity(source.venue, *named)
    return found
