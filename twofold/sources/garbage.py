"""Garbage: the ways in which a record can be broken, made from a good one."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from twofold.sources.market import Trade
from twofold.sources.message import Message

_DAY_US = 86_400_000_000


def _json(trade: Trade, **changed: object) -> bytes:
    return trade._replace(**changed).to_json()  # type: ignore[arg-type]  # wrong types are what this module is for


BREAKAGES: dict[str, Callable[[Trade], bytes | None]] = {
    "cut off": lambda trade: trade.to_json()[:40],
    "not JSON": lambda trade: b"trade " + trade.symbol.encode(),
    "not UTF-8": lambda trade: trade.to_json().replace(b"USDT", b"\xff\xfe"),
    "empty": lambda _: b"",
    "tombstone": lambda _: None,
    "a newline inside a text": lambda trade: trade.to_json().replace(b"USDT", b"\nUSDT"),
    "a list": lambda trade: b"[" + trade.to_json() + b"]",
    "no price": lambda trade: trade.to_json().replace(b'"price"', b'"prize"'),
    "null size": lambda trade: trade.to_json().replace(f'"{trade.size}"'.encode(), b"null"),
    "text as price": lambda trade: _json(trade, price="a lot"),
    "unquoted price": lambda trade: trade.to_json().replace(f'"{trade.price}"'.encode(), b"0.1234567890123456789"),
    "nine decimal places": lambda trade: _json(trade, price="1.123456789"),
    "forty digits": lambda trade: _json(trade, size="1" * 40),
    "negative size": lambda trade: _json(trade, size="-" + trade.size),
    "not a number": lambda trade: _json(trade, price="NaN"),
    "text as id": lambda trade: _json(trade, trade_id='"first"'),
    "unknown side": lambda trade: _json(trade, side="hold"),
    "a path as symbol": lambda trade: _json(trade, symbol="../" + trade.symbol),
    "event time in 1970": lambda trade: _json(trade, event_time_us=trade.event_time_us % _DAY_US),
    "event time a century ahead": lambda trade: _json(trade, event_time_us=trade.event_time_us + 36_525 * _DAY_US),
}
"""Kind of breakage to the value that it makes of a trade; each is unusable for a reason of its own."""


def break_message(trade: Trade, message: Message, rng: Random) -> Message:
    """Make a broken record of a trade, in one of the ways of `BREAKAGES`; key and headers stay."""
    return message._replace(value=BREAKAGES[rng.choice(list(BREAKAGES))](trade))
