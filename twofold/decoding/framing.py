"""Framing: what must hold of a record's bytes before its value is parsed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

import polars as pl

from twofold.decoding.dead_letter import Reason, Refusal, shorten
from twofold.decoding.utf8 import to_text

LARGEST_VALUE_BYTES = 64 * 1024
"""A trade takes some hundred bytes; what is larger is not parsed, so that it cannot cost time."""

RULES = f"""\
A value is present, not empty, at most {LARGEST_VALUE_BYTES} bytes and UTF-8. A key is absent or UTF-8.
"""

_SOUND_VALUE = pl.col("value").str.len_bytes().is_between(1, LARGEST_VALUE_BYTES).fill_null(value=False)


def framing_refusals(keys: Sequence[bytes | None], values: Sequence[bytes | None]) -> dict[int, Refusal]:
    """Find the records whose key or value cannot be text of a trade, by their place."""
    if _are_plain(values) and all(values) and max(map(len, values), default=0) <= LARGEST_VALUE_BYTES:
        return _bad_keys(keys)
    refused: dict[int, Refusal] = {}
    texts = to_text(pl.Series("value", values, dtype=pl.Binary))
    sound = texts.to_frame().select(_SOUND_VALUE).to_series()
    if not sound.all():
        refused.update((row, _value_refusal(values[row])) for row in (~sound).arg_true().to_list())
    return _bad_keys(keys) | refused


def _bad_keys(keys: Sequence[bytes | None]) -> dict[int, Refusal]:
    if _are_plain(keys):
        return {}
    texts = to_text(pl.Series("key", keys, dtype=pl.Binary))
    bad = (row for row in texts.is_null().arg_true().to_list() if keys[row] is not None)
    return {row: _key_refusal(keys[row]) for row in bad}


def _are_plain(cells: Sequence[bytes | None]) -> TypeGuard[Sequence[bytes]]:
    """Whether all are there and ASCII: so most are, and to see that costs least."""
    try:
        return b"".join(cells).isascii()  # type: ignore[arg-type]  # a null is what is caught
    except TypeError:
        return False


def _key_refusal(key: bytes | None) -> Refusal:
    return Refusal(Reason.BAD_KEY, f"The key {shorten(key)} is not UTF-8 text.")


def _value_refusal(value: bytes | None) -> Refusal:
    if value is None:
        return Refusal(Reason.TOMBSTONE, "The record has no value (a tombstone); trades are not deleted this way.")
    if not value:
        return Refusal(Reason.EMPTY_VALUE, "The value is empty: 0 bytes.")
    if len(value) > LARGEST_VALUE_BYTES:
        detail = f"The value has {len(value):,} bytes; a trade has at most {LARGEST_VALUE_BYTES:,}."
        return Refusal(Reason.TOO_LARGE, detail)
    return Refusal(Reason.NOT_UTF8, f"The value {shorten(value)} is not UTF-8 text.")
