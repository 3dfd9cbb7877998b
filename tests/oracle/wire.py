"""Records as trades: a strict reading of both wire formats, one record at a time. What is unusable is None."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import Any, NoReturn

import xxhash

from oracle.record import OracleRecord, OracleSource

EXACT = Context(prec=200, traps=[Inexact, InvalidOperation, Overflow])
"""Arithmetic that is exact or raises."""

LARGEST_VALUE_BYTES = 65_536
CLOCKS_APART_US = 300_000_000
BITCOIN_BEGINS_US = 1_230_940_800_000_000
NOTIONAL_LIMIT = Decimal(10) ** 12
MOST_INT64 = 2**63 - 1

_NUMBER = re.compile(r"[0-9]{1,10}(\.[0-9]{1,8})?")
_UNSIGNED = re.compile(r"[0-9]+(\.[0-9]+)?")
_WHOLE = re.compile(r"-?[0-9]{1,20}")
_SYMBOL = re.compile(r"[A-Za-z0-9](\.?[A-Za-z0-9_-])*")
_MICROSECONDS = re.compile(rb"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class OracleTrade:
    """One usable record. Times are UTC microseconds; `arrival_us` is never before `event_us`."""

    venue: str
    symbol: str
    trade_id: int | str
    price: Decimal
    size: Decimal
    notional: Decimal
    side: str
    event_us: int
    arrival_us: int
    lane: str
    offset: int
    horizon_us: int | None = None

    @property
    def rank(self) -> int:
        """By what trades of one instant are ordered: the id, or the number that stands for it."""
        if isinstance(self.trade_id, int):
            return self.trade_id
        return int(xxhash.xxh3_64_hexdigest(self.trade_id.encode()), 16) % 2**63 - 2**63


Identity = tuple[str, str, int | str]
"""Venue, symbol and trade id."""


class Unusable(Exception):
    """The record is no trade."""


@dataclass(frozen=True, slots=True)
class _Unquoted:
    """A JSON number as it is written."""

    text: str


def read_trade(record: OracleRecord, sources: Mapping[str, OracleSource], default: str) -> OracleTrade | None:
    """The trade that a record is, or None if it is none."""
    try:
        return _trade(record, sources, default)
    except (Unusable, UnicodeDecodeError):
        return None


def read_identity(record: OracleRecord, sources: Mapping[str, OracleSource], default: str) -> Identity | None:
    """Which trade an unusable record would have been, or None if it does not say so for sure."""
    try:
        source = _source(record, sources, default)
        fields = _fields(record.value)
        if source.wire_format == "binance":
            fields = _frame(fields)
            return source.venue, _symbol(fields.get("s")), _trade_id(fields.get("t"))
        return source.venue, _symbol(fields.get("symbol")), _id_of(source, fields.get("trade_id"))
    except (Unusable, UnicodeDecodeError):
        return None


def _source(record: OracleRecord, sources: Mapping[str, OracleSource], default: str) -> OracleSource:
    headers = dict(record.headers)
    source = sources.get((headers["source"] or b"").decode() if "source" in headers else default)
    if source is None:
        raise Unusable
    return source


def _trade(record: OracleRecord, sources: Mapping[str, OracleSource], default: str) -> OracleTrade:
    if record.key is not None:
        record.key.decode()
    headers, source = dict(record.headers), _source(record, sources, default)
    fields = _fields(record.value)
    body = _binance(fields) if source.wire_format == "binance" else _canonical(fields)
    price, size = _decimal(body.price), _decimal(body.size)
    notional = EXACT.multiply(price, size)
    _need(notional < NOTIONAL_LIMIT)
    received_us = _received_us(record, headers, source)
    _need(BITCOIN_BEGINS_US <= body.event_us <= received_us + CLOCKS_APART_US)
    return OracleTrade(
        venue=source.venue,
        symbol=_symbol(body.symbol),
        trade_id=_id_of(source, body.trade_id),
        price=price,
        size=size,
        notional=notional,
        side=body.side,
        event_us=body.event_us,
        arrival_us=max(body.event_us, received_us),
        lane=record.lane,
        offset=record.offset,
        horizon_us=None if source.horizon_s is None else round(source.horizon_s * 1_000_000),
    )


@dataclass(frozen=True, slots=True)
class _Body:
    symbol: object
    trade_id: object
    price: object
    size: object
    side: str
    event_us: int


def _frame(fields: dict[str, Any]) -> dict[str, Any]:
    """The trade frame, which may be wrapped."""
    if "data" in fields and "e" not in fields:
        fields = fields["data"]
        _need(isinstance(fields, dict))
    _need(fields.get("e") == "trade")
    return fields


def _binance(fields: dict[str, Any]) -> _Body:
    fields = _frame(fields)
    symbol, trade_id, price, size, sold = (fields.get(name) for name in "stpqm")
    _need(isinstance(sold, bool))
    return _Body(symbol, trade_id, price, size, "sell" if sold else "buy", _whole(fields.get("T")) * 1000)


def _canonical(fields: dict[str, Any]) -> _Body:
    symbol, trade_id, price, size, side = (fields.get(n) for n in ("symbol", "trade_id", "price", "size", "side"))
    _need(side in ("buy", "sell"))
    return _Body(symbol, trade_id, price, size, str(side), _whole(fields.get("event_time_us")))


def _symbol(value: object) -> str:
    if not isinstance(value, str) or len(value) > 64 or not _SYMBOL.fullmatch(value):
        raise Unusable
    return value


def _id_of(source: OracleSource, value: object) -> int | str:
    if source.horizon_s is None:
        return _trade_id(value)
    if not isinstance(value, str) or not 1 <= len(value) <= 128:
        raise Unusable
    return value


def _trade_id(value: object) -> int:
    number = _whole(value)
    _need(0 <= number <= MOST_INT64)
    return number


def _fields(value: bytes | None) -> dict[str, Any]:
    if not value or len(value) > LARGEST_VALUE_BYTES:
        raise Unusable
    text = value.decode()
    try:
        parsed = json.loads(text, parse_float=_Unquoted, parse_int=_Unquoted, parse_constant=_refuse)
        if "\\u" in text:  # One half of a surrogate pair is no text.
            json.dumps(parsed, ensure_ascii=False, default=str).encode()
    except (ValueError, RecursionError):
        raise Unusable from None
    if not isinstance(parsed, dict):
        raise Unusable
    return parsed


def _whole(value: object) -> int:
    if not isinstance(value, _Unquoted) or not _WHOLE.fullmatch(value.text):
        raise Unusable
    return int(value.text)


def _decimal(value: object) -> Decimal:
    if isinstance(value, _Unquoted):
        text = value.text
        bent = _UNSIGNED.fullmatch(text) and Decimal(repr(float(text))) != Decimal(text)
        _need(not bent)
    else:
        _need(isinstance(value, str))
        text = str(value)
    _need(_NUMBER.fullmatch(text))
    number = Decimal(text)
    _need(number > 0)
    return number


def _received_us(record: OracleRecord, headers: Mapping[str, bytes | None], source: OracleSource) -> int:
    logged_us = record.timestamp_ms * 1000
    if source.collected_header is None or source.collected_header not in headers:
        return logged_us
    text = headers[source.collected_header] or b""
    _need(_MICROSECONDS.fullmatch(text))
    collected_us = int(text)
    _need(collected_us <= logged_us + CLOCKS_APART_US)
    return collected_us


def _need(condition: object) -> None:
    if not condition:
        raise Unusable


def _refuse(_: str) -> NoReturn:
    raise Unusable
