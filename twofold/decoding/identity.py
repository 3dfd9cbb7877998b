"""Identity: which trade a dead letter would have been, where its value still says so for sure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from twofold.decoding.binance import identify_binance
from twofold.decoding.canonical import identify_canonical
from twofold.decoding.dead_letter import Reason, Refusal, Refused
from twofold.decoding.plausible import is_sound
from twofold.decoding.stack import Stack
from twofold.source import Source

_IDENTIFY: dict[str, Callable[[bytes], tuple[str, int]]] = {
    "binance": identify_binance,
    "canonical": identify_canonical,
}
"""Read symbol and trade id of a value, by the wire format's name; they raise `Refused` where that cannot be done."""

_NOT_LOOKED_INTO = {Reason.TOMBSTONE, Reason.EMPTY_VALUE, Reason.TOO_LARGE, Reason.NOT_UTF8}


class Identity(NamedTuple):
    """What tells one trade from every other."""

    venue: str
    symbol: str
    trade_id: int


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
        if source is None or value is None or refusal.reason in _NOT_LOOKED_INTO or source.wire_format not in _IDENTIFY:
            continue
        try:
            symbol, trade_id = _IDENTIFY[source.wire_format](value)
        except Refused:
            continue
        if is_sound(symbol):
            found[row] = Identity(source.venue, symbol, trade_id)
    return found
