"""A market of many days, for figures that look back: what its log holds is told day by day."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from small_market import LANES, SmallMarket

from twofold.clock import to_epoch_us

LAST_DAY = date(2024, 8, 9)


class LongMarket(SmallMarket):
    """Trades on any day, each of which arrives when it happens."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._id = 0

    def on(self, day: date, clock: str, price: str, *, symbol: str = "BTCUSDT", size: str = "1") -> None:
        """Log a trade."""
        self._id += 1
        time_us = to_epoch_us(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=UTC))
        fields = {"symbol": symbol, "trade_id": self._id, "price": price, "size": size, "side": "buy"}
        value = json.dumps(fields | {"event_time_us": time_us}).encode()
        self.log.append(LANES[0], value, timestamp_ms=time_us // 1000, headers=())

    def history(self, prices: list[str], *, symbol: str = "BTCUSDT") -> None:
        """Log one trade a day at noon, the last on `LAST_DAY`."""
        for ago, price in zip(range(len(prices) - 1, -1, -1), prices, strict=True):
            self.on(LAST_DAY - timedelta(days=ago), "12:00:00", price, symbol=symbol)

    def next_day(self) -> None:
        """Log what moves the watermark past `LAST_DAY`."""
        for second in range(3):
            self.on(LAST_DAY + timedelta(days=1), f"00:00:0{second}", "1", symbol="LATER")
