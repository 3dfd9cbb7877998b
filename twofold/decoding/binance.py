"""The wire format of Binance's websocket: the trade frame, bare or wrapped as a combined stream sends it.

The fields are those of Binance's spot documentation, "Trade Streams": `e` kind of event, `s` symbol, `t` trade id,
`p` price, `q` quantity, `T` trade time in UTC milliseconds, `m` whether the buyer was the maker. Combined streams wrap
the frame as `{"stream": …, "data": …}`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import msgspec
import polars as pl

from twofold.decoding.dead_letter import Reason, Refused, shorten
from twofold.decoding.json_record import JsonRecord
from twofold.decoding.reading import NOT_READ, read_each
from twofold.decoding.wire_format import FIELD_SCHEMA, LEAST_INT64, MOST_INT64, Fields, Named

RULES = """\
binance 1: a JSON object; where it has no field e, the one in its field data. e: "trade"; s: symbol, text; t: trade id,
whole number from 0 to 2^63 - 1; p, q: price and size, text, or an unquoted number that is not bent; T: event time,
whole number, UTC milliseconds; m: true where the buyer was the maker, so that the taker sold. Of a repeated field the
last counts, other fields mean nothing.
"""

_LEAST_MS = -(-LEAST_INT64 // 1000)
_MOST_MS = MOST_INT64 // 1000


class BinanceTrade(msgspec.Struct, gc=False):
    """One trade as Binance's frame writes it."""

    e: Literal["trade"]
    s: str
    t: Annotated[int, msgspec.Meta(ge=0, le=MOST_INT64)]
    p: str
    q: str
    T: Annotated[int, msgspec.Meta(ge=_LEAST_MS, le=_MOST_MS)]
    m: bool


class _Wrapped(msgspec.Struct, gc=False):
    data: BinanceTrade
    e: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_BARE_STRICT = msgspec.json.Decoder(BinanceTrade)
_WRAPPED_STRICT = msgspec.json.Decoder(_Wrapped)


def read_binance(values: Sequence[bytes]) -> Fields:
    """Read values of Binance's format."""
    reading = read_each(values, _usual_decoder(values), _look_again)
    trades = reading.objects
    columns = pl.DataFrame(
        {
            "symbol": [trade.s for trade in trades],
            "trade_id": [trade.t for trade in trades],
            "trade_key": pl.Series([None], dtype=pl.String).new_from_index(0, len(trades)),
            "price_text": [trade.p for trade in trades],
            "size_text": [trade.q for trade in trades],
            "side": ["sell" if trade.m else "buy" for trade in trades],
            "event_us": pl.Series([trade.T for trade in trades], dtype=pl.Int64) * 1000,
        },
        schema=FIELD_SCHEMA,
    )
    return Fields(columns, reading.places, reading.refused)


def _wrapped(value: bytes) -> BinanceTrade:
    frame = _WRAPPED_STRICT.decode(value)
    if frame.e is not msgspec.UNSET:  # Then it is a bare frame, whatever its data is.
        raise msgspec.ValidationError
    return frame.data


def _usual_decoder(values: Sequence[bytes]) -> Callable[[bytes], BinanceTrade]:
    """The decoder of the form, wrapped or bare, that the first good value has; the second look takes the other form."""
    for value in values:
        for decode in (_wrapped, _BARE_STRICT.decode):
            try:
                decode(value)
            except NOT_READ:
                continue
            return decode
    return _wrapped


def identify_binance(value: bytes) -> Named:
    """Read symbol and trade id of a trade frame that may be wrong in all else.

    Raises:
        Refused: it is no trade frame (`t` means other things elsewhere), or one of the two is not there as it must be.
    """
    record = _trade_frame(value)
    return Named(record.text("s"), record.whole("t", 0, MOST_INT64, Reason.BAD_TRADE_ID))


def _trade_frame(value: bytes) -> JsonRecord:
    record = JsonRecord(value)
    if "data" in record and "e" not in record:
        record = record.nested("data")
    if (kind := record.text("e")) != "trade":
        raise Refused(Reason.NOT_A_TRADE, f"Field `e` is {shorten(kind)}; only frames of `trade` are trades.")
    return record


def _look_again(value: bytes) -> BinanceTrade:
    record = _trade_frame(value)
    return BinanceTrade(
        e="trade",
        s=record.text("s"),
        t=record.whole("t", 0, MOST_INT64, Reason.BAD_TRADE_ID),
        p=record.decimal_text("p"),
        q=record.decimal_text("q"),
        T=record.whole("T", _LEAST_MS, _MOST_MS, Reason.IMPLAUSIBLE_TIME),
        m=record.flag("m"),
    )
