"""The oracle: 1-minute bars by a plain fold over decimals. It takes the bytes of trades and no code of the product."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, NamedTuple

MINUTE_US = 60_000_000


class Bar(NamedTuple):
    """One bar. `first` and `last` are by (event time, trade id)."""

    trades: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    notional: Decimal


Bars = dict[tuple[str, int], Bar]
"""(symbol, start of the minute in UTC microseconds) to bar."""


class Oracle:
    """Folds trades one by one."""

    def __init__(self) -> None:
        self._states: dict[tuple[str, int], list[Any]] = {}

    def add(self, value: bytes) -> None:
        """Fold one canonical trade."""
        trade = json.loads(value)
        price, size = Decimal(trade["price"]), Decimal(trade["size"])
        at_us = trade["event_time_us"]
        order = (at_us, trade["trade_id"])
        group = (trade["symbol"], at_us - at_us % MINUTE_US)
        state = self._states.get(group)
        if state is None:
            self._states[group] = [1, (order, price), price, price, (order, price), size, price * size]
            return
        state[0] += 1
        state[1] = min(state[1], (order, price))
        state[2] = max(state[2], price)
        state[3] = min(state[3], price)
        state[4] = max(state[4], (order, price))
        state[5] += size
        state[6] += price * size

    def bars(self) -> Bars:
        """Finish what was folded so far."""
        return {
            group: Bar(trades, first[1], high, low, last[1], volume, notional)
            for group, (trades, first, high, low, last, volume, notional) in self._states.items()
        }
