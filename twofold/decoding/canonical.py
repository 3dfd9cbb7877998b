"""The canonical wire format: a flat JSON object per trade, decimals in quotes, times in UTC microseconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
import polars as pl

from twofold.decoding.dead_letter import Reason, Refused, shorten
from twofold.decoding.json_record import JsonRecord
from twofold.decoding.reading import read_each
from twofold.decoding.trade_key import LONGEST_KEY, number_of, numbers_of
from twofold.decoding.wire_format import FIELD_SCHEMA, LEAST_INT64, MOST_INT64, Fields, Named

RULES = """\
canonical 2: a JSON object. symbol: text; trade_id: whole number from 0 to 2^63 - 1, or the key where the source is
opaque; price, size: text, or an unquoted number that is not bent; side: "buy" or "sell", the taker's; event_time_us:
whole number, UTC microseconds. Of a repeated field the last counts, other fields mean nothing.
"""


class _Body(msgspec.Struct, gc=False, kw_only=True):
    """What the canonical format writes of a trade beside its id."""

    symbol: str
    price: str
    size: str
    side: Literal["buy", "sell"]
    event_time_us: Annotated[int, msgspec.Meta(ge=LEAST_INT64, le=MOST_INT64)]


class _Numbered(_Body, gc=False, kw_only=True):
    trade_id: Annotated[int, msgspec.Meta(ge=0, le=MOST_INT64)]


class _Keyed(_Body, gc=False, kw_only=True):
    trade_id: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_KEY)]


_NUMBERED_STRICT = msgspec.json.Decoder(_Numbered)
_KEYED_STRICT = msgspec.json.Decoder(_Keyed)


def read_canonical(values: Sequence[bytes]) -> Fields:
    """Read values of the canonical format whose ids are numbers."""
    reading = read_each(values, _NUMBERED_STRICT.decode, _numbered)
    ids = pl.Series("trade_id", [trade.trade_id for trade in reading.objects], dtype=pl.Int64)
    keys = pl.Series("trade_key", [None], dtype=pl.String).new_from_index(0, len(ids))
    return Fields(_columns(reading.objects, ids, keys), reading.places, reading.refused)


def read_canonical_keys(values: Sequence[bytes]) -> Fields:
    """Read values of the canonical format whose ids are keys."""
    reading = read_each(values, _KEYED_STRICT.decode, _keyed)
    keys = [trade.trade_id for trade in reading.objects]
    columns = _columns(reading.objects, numbers_of(keys), pl.Series("trade_key", keys, dtype=pl.String))
    return Fields(columns, reading.places, reading.refused)


def identify_canonical(value: bytes) -> Named:
    """Read symbol and trade id of a value that may be wrong in all else.

    Raises:
        Refused: it is no object, or one of the two is not there as it must be.
    """
    record = JsonRecord(value)
    return Named(record.text("symbol"), _id_of(record))


def identify_canonical_key(value: bytes) -> Named:
    """Read symbol and trade key of a value that may be wrong in all else.

    Raises:
        Refused: it is no object, or one of the two is not there as it must be.
    """
    record = JsonRecord(value)
    key = record.key("trade_id")
    return Named(record.text("symbol"), number_of(key), key)


def _columns(trades: Sequence[_Body], ids: pl.Series, keys: pl.Series) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "symbol": [trade.symbol for trade in trades],
            "trade_id": ids,
            "trade_key": keys,
            "price_text": [trade.price for trade in trades],
            "size_text": [trade.size for trade in trades],
            "side": [trade.side for trade in trades],
            "event_us": [trade.event_time_us for trade in trades],
        },
        schema=FIELD_SCHEMA,
    )


def _numbered(value: bytes) -> _Numbered:
    record = JsonRecord(value)
    body = _body(record)
    return _Numbered(**msgspec.structs.asdict(body), trade_id=_id_of(record))


def _keyed(value: bytes) -> _Keyed:
    record = JsonRecord(value)
    body = _body(record)
    return _Keyed(**msgspec.structs.asdict(body), trade_id=record.key("trade_id"))


def _id_of(record: JsonRecord) -> int:
    return record.whole("trade_id", 0, MOST_INT64, Reason.BAD_TRADE_ID)


def _body(record: JsonRecord) -> _Body:
    return _Body(
        symbol=record.text("symbol"),
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
