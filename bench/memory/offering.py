"""Offering: trades of which no two are of one symbol and minute, as many as are asked for."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from twofold.sources.message import Message

SYMBOLS = 10_000
FIRST_US = 1_723_161_600_000_000
"""2024-08-09 00:00 UTC."""

_MINUTE_US = 60_000_000


def distinct_groups(count: int) -> Iterator[Message]:
    """Make canonical trades minute by minute, one of each symbol in each, with ids that have no gaps."""
    for place in range(count):
        minute, number = divmod(place, SYMBOLS)
        symbol = f"S{number:05d}USDT"
        trade = {
            "symbol": symbol,
            "trade_id": minute + 1,
            "price": f"{number + 1}.{minute:04d}",
            "size": f"0.{number + 1:08d}",
            "side": "buy" if place % 2 else "sell",
            "event_time_us": FIRST_US + minute * _MINUTE_US + number,
        }
        yield Message(symbol.encode(), orjson.dumps(trade), [])
