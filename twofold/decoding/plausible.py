"""Plausibility: symbols that are safe to store and ask for, and times that can be true."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import polars as pl

from twofold.decoding.dead_letter import Reason, Refusal, shorten
from twofold.decoding.utf8 import to_text

LONGEST_SYMBOL = 64
SYMBOL = r"^[A-Za-z0-9](?:\.?[A-Za-z0-9_-])*$"
"""Symbols become parts of paths and addresses: no slash, no two dots in a row, a letter or digit first, no dot last."""

FIRST_EVENT = datetime(2009, 1, 3, tzinfo=UTC)
"""Before the first block of Bitcoin there was nothing to trade."""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far a clock that sets a time may be ahead of the clock that received it: so far can it push the watermark."""

_FIRST_EVENT_US = int(FIRST_EVENT.timestamp()) * 1_000_000
_TOLERANCE_US = CLOCK_TOLERANCE // timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLLECTED = r"^[0-9]{1,18}$"

RULES = f"""\
A symbol has at most {LONGEST_SYMBOL} characters and matches {SYMBOL}.
An event is at {_FIRST_EVENT_US} us or later, and at most {_TOLERANCE_US} us after its arrival by headers or log.
A collector's time matches {_COLLECTED} and is at most {_TOLERANCE_US} us after the log time.
"""


def is_symbol_sound() -> pl.Expr:
    """The rows whose `symbol` is sound."""
    return pl.col("symbol").str.contains(SYMBOL) & (pl.col("symbol").str.len_bytes() <= LONGEST_SYMBOL)


def is_sound(symbol: str) -> bool:
    """Whether one symbol is sound: the same as `is_symbol_sound` says of a column."""
    return len(symbol) <= LONGEST_SYMBOL and re.fullmatch(SYMBOL, symbol) is not None


def symbol_refusal(symbol: str) -> Refusal:
    """Say why a symbol is refused."""
    detail = (
        f"The symbol {shorten(symbol)} has {len(symbol)} characters; it must be 1 to {LONGEST_SYMBOL} letters, digits, "
        "`-`, `_` and single `.`, the first a letter or a digit."
    )
    return Refusal(Reason.BAD_SYMBOL, detail)


def collected_us(texts: pl.Series) -> pl.Series:
    """Read the collector's times (Binary to Int64 UTC microseconds); null where absent, below zero where malformed."""
    text = to_text(texts)
    well_formed = text.str.contains(_COLLECTED).fill_null(value=False)
    malformed = texts.is_not_null() & ~well_formed
    return text.cast(pl.Int64, strict=False).set(malformed, -1)


def is_collected_sound() -> pl.Expr:
    """The rows whose `collected_us` is absent or a possible time, seen from `logged_us`."""
    time = pl.col("collected_us")
    return time.is_null() | ((time >= 0) & (time <= pl.col("logged_us") + _TOLERANCE_US))


def collected_refusal(text: bytes, header: str, logged_us: int) -> Refusal:
    """Say why a collector's time is refused."""
    detail = (
        f"The header `{header}` is {shorten(text)}; it must be UTC microseconds in 1 to 18 digits, "
        f"and not over five minutes after the log time {logged_us}."
    )
    return Refusal(Reason.BAD_COLLECTED_TIME, detail)


def is_event_plausible() -> pl.Expr:
    """The rows whose `event_us` can be true, seen from `received_us`."""
    event = pl.col("event_us")
    return (event >= _FIRST_EVENT_US) & (event <= pl.col("received_us") + _TOLERANCE_US)


def event_refusal(event_us: int, received_us: int) -> Refusal:
    """Say why an event time is refused."""
    if event_us < _FIRST_EVENT_US:
        detail = f"The event time {_shown(event_us)} is before {FIRST_EVENT:%Y-%m-%d}, when no such market existed."
    else:
        ahead = "over five minutes after the record arrived"
        detail = f"The event time {_shown(event_us)} is {ahead}, {_shown(received_us)}."
    return Refusal(Reason.IMPLAUSIBLE_TIME, detail)


def _shown(time_us: int) -> str:
    try:
        return (_EPOCH + timedelta(microseconds=time_us)).isoformat()
    except OverflowError:
        return f"{time_us} us since 1970"
