"""Dead letters: records that could not be used, kept whole with their coordinates and the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Self

import polars as pl
import pyarrow as pa

from twofold.decoding.stack import Stack
from twofold.records import RECORD_SCHEMA

DEAD_LETTER_SCHEMA = pl.Schema(
    {
        "lane": pl.String(),
        "offset": pl.Int64(),
        "logged_at": RECORD_SCHEMA["logged_at"],
        "key": pl.Binary(),
        "value": pl.Binary(),
        "headers": RECORD_SCHEMA["headers"],
        "source": pl.String(),
        "reason": pl.String(),
        "detail": pl.String(),
        "venue": pl.String(),
        "symbol": pl.String(),
        "trade_id": pl.Int64(),
        "trade_key": pl.String(),
    }
)
"""Columns of a frame of dead letters.

`key`, `value` and `headers` are the record's own bytes; a record without headers has an empty list. `source` is as the
record's header names it, or the default. `reason` is a code of `Reason`, `detail` a sentence about this very record.
`venue`, `symbol`, `trade_id` and `trade_key` say which trade it would have been, as in a frame of trades; all are null
where that cannot be told.
"""


_ARROW_HEADERS = pa.large_list(pa.struct([("key", pa.large_string()), ("value", pa.large_binary())]))
_NONE = DEAD_LETTER_SCHEMA.to_frame()


class Reason(StrEnum):
    """Why a record became a dead letter: a short code, and in `sentence` what the code says of any record."""

    sentence: str

    TOMBSTONE = "tombstone", "The record has no value; a trade cannot be deleted."
    EMPTY_VALUE = "empty_value", "The value has no bytes."
    TOO_LARGE = "too_large", "The value is larger than any trade, so it was not looked into."
    NOT_UTF8 = "not_utf8", "The value is not UTF-8 text."
    BAD_KEY = "bad_key", "The key is not UTF-8 text."
    UNKNOWN_SOURCE = "unknown_source", "The source of the record is not declared."
    UNKNOWN_WIRE_FORMAT = "unknown_wire_format", "The source declares a wire format that has no decoder."
    BAD_COLLECTED_TIME = "bad_collected_time", "The header with the collector's time cannot be used."
    BROKEN_JSON = "broken_json", "The value is not one JSON text."
    NOT_AN_OBJECT = "not_an_object", "The value is JSON, but not an object."
    NOT_A_TRADE = "not_a_trade", "The frame is about something else than a trade."
    MISSING_FIELD = "missing_field", "A field that a trade needs is not there."
    NULL_FIELD = "null_field", "A field that a trade needs is null."
    WRONG_TYPE = "wrong_type", "A field holds another type of JSON value than it must."
    BAD_SYMBOL = "bad_symbol", "The symbol is not a name that can be stored and asked for safely."
    BAD_TRADE_ID = (
        "bad_trade_id",
        "The trade id is not a whole number from 0 to 2^63 - 1, or no key where keys are declared.",
    )
    BAD_SIDE = "bad_side", "The side is neither buy nor sell."
    BENT_NUMBER = "bent_number", "The number stands without quotes, and a float cannot hold it as it is written."
    NOT_PLAIN = "not_plain", "The number is not written in plain decimal digits."
    TOO_MANY_PLACES = "too_many_places", "The number has more than 8 decimal places."
    TOO_MANY_DIGITS = "too_many_digits", "The number has more than 10 digits before the point."
    NOT_POSITIVE = "not_positive", "A price or size that is not above zero is no trade."
    NOTIONAL_TOO_LARGE = "notional_too_large", "Price times size is 10^12 or more."
    IMPLAUSIBLE_TIME = (
        "implausible_time",
        "The event time cannot be true: too early for the market, or after the arrival.",
    )
    CONFLICT = "conflict", "The trade had been taken before, with another body, which counts."

    def __new__(cls, code: str, sentence: str = "") -> Self:
        """Make the code the text of the member, so that it stands in frames as it is."""
        reason = str.__new__(cls, code)
        reason._value_ = code
        reason.sentence = sentence
        return reason


class Refusal(NamedTuple):
    """Why one record cannot be used."""

    reason: Reason
    detail: str


class Refused(Exception):
    """Raised while one record is read; never leaves the decoder."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.refusal = Refusal(reason, detail)


def shorten(bit: object, limit: int = 48) -> str:
    """Show an offending bit in one printable line of about `limit` characters."""
    if isinstance(bit, bytes):
        bit = bit[: limit + 1].decode("utf-8", "backslashreplace")
    text = str(bit)[: limit + 1].encode("unicode_escape").decode()
    return f"`{text}`" if len(text) <= limit else f"`{text[:limit]}…`"


def dead_letters(
    stack: Stack,
    refused: Mapping[int, Refusal],
    source_of: Sequence[str],
    identity_of: Mapping[int, tuple[str, str, int, str | None]],
) -> pl.DataFrame:
    """Make the frame of the refused rows of the stack, in the stack's order (`DEAD_LETTER_SCHEMA`).

    Args:
        stack: all records.
        refused: why, by row.
        source_of: the source's name, by row.
        identity_of: venue, symbol, trade id and trade key, by row, where they are known.
    """
    if not refused:
        return _NONE.clone()
    rows = sorted(refused)
    refusals = [refused[row] for row in rows]
    unknown = (None, None, None, None)
    venues, symbols, trade_ids, trade_keys = zip(*(identity_of.get(row, unknown) for row in rows), strict=True)
    return pl.DataFrame(
        {
            "lane": stack.lanes.gather(rows),
            "offset": stack.offsets.gather(rows),
            "logged_at": stack.logged_us.gather(rows).cast(DEAD_LETTER_SCHEMA["logged_at"]),
            "key": [stack.keys[row] for row in rows],
            "value": [stack.values[row] for row in rows],
            "headers": pl.Series(pa.array([stack.headers_of(row) for row in rows], type=_ARROW_HEADERS)),
            "source": [source_of[row] for row in rows],
            "reason": [refusal.reason.value for refusal in refusals],
            "detail": [refusal.detail for refusal in refusals],
            "venue": venues,
            "symbol": symbols,
            "trade_id": trade_ids,
            "trade_key": trade_keys,
        },
        schema=DEAD_LETTER_SCHEMA,
    )
