"""The canonical wire format: a flat JSON object per trade, decimals in quotes, times in UTC microseconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
import polars as pl

from twofold.decoding.dead_letter import Reason, Refused, shorten
from twofold.decoding.json_record import JsonRecord
from twofold.decoding.reading import read_each
from twofold.decoding.wire_format import FIELD_SCHEMA, LEAST_INT64, MOST_INT64, Fields

RULES = """\
canonical 1: a JSON object. symbol: text; trade_id: whole number from 0 to 2^63 - 1; price, size: text, or an unquoted
number that is not bent; side: "buy" or "sell", the taker's; event_time_us: whole number, UTC microseconds. Of a
repeated field the last counts, other fields mean nothing.
"""


class CanonicalTrade(msgspec.Struct, gc=False):
    """One trade as the canonical format writes it."""

    symbol: str
    trade_id: Annotated[int, msgspec.Meta(ge=0, le=MOST_INT64)]
    price: str
    size: str
    side: Literal["buy", "sell"]
    event_time_us: Annotated[int, msgspec.Meta(ge=LEAST_INT64, le=MOST_INT64)]


_STRICT = msgspec.json.Decoder(CanonicalTrade)


def read_canonical(values: Sequence[bytes]) -> Fields:
    """Read values of the canonical format."""
    reading = read_each(values, _STRICT.decode, _look_again)
    trades = reading.objects
    columns = pl.DataFrame(
        {
            "symbol": [trade.symbol for trade in trades],
            "trade_id": [trade.trade_id for trade in trades],
            "price_text": [trade.price for trade in trades],
            "size_text": [trade.size for trade in trades],
            "side": [trade.side for trade in trades],
            "event_us": [trade.event_time_us for trade in trades],
        },
        schema=FIELD_SCHEMA,
    )
    return Fields(columns, reading.places, reading.refused)


def identify_canonical(value: bytes) -> tuple[str, int]:
    """Read symbol and trade id of a value that may be wrong in all else.

    Raises:
        Refused: it is no object, or one of the two is not there as it must be.
    """
    record = JsonRecord(value)
    return record.text("symbol"), record.whole("trade_id", 0, MOST_INT64, Reason.BAD_TRADE_ID)


def _look_again(value: bytes) -> CanonicalTrade:
    record = JsonRecord(value)
    return CanonicalTrade(
        symbol=record.text("symbol"),
        trade_id=record.whole("trade_id", 0, MOST_INT64, Reason.BAD_TRADE_ID),
        price=record.decimal_text("price"),
        size=record.decimal_text("size"),
        side=_side(record.text("side")),
        event_time_us=record.whole("event_time_us", LEAST_INT64, MOST_INT64, Reason.IMPLAUSIBLE_TIME),
    )


def _side(text: str) -> Literal["buy", "sell"]:
    if text == "buy":
        return "buy"
    if text == "sell":
        return "sell"
    raise Refused(Reason.BAD_SIDE, f"Field `side` is {shorten(text)}; it must be `buy` or `sell`, the taker's side.")
