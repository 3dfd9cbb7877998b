"""Klines: bars with taker flow in the shape of Binance's `GET /api/v3/klines`, by its API documentation for spot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import orjson
import polars as pl

from serving.query import Query, parse_interval, parse_query
from serving.writing import columns_json
from twofold.errors import BadCombination, BadInterval
from twofold.ledger import Market
from twofold.view import View

MOST = 1000
DEFAULT = 500

INTERVALS = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d")
"""Those of Binance's whose windows count from 1970 in UTC, as all windows here. Its weeks and months do not."""

BARS = ("open", "high", "low", "close", "volume", "notional", "trades")
FLOW = ("buy_volume", "buy_notional")
"""The columns of the views `bars` and `taker_flow` that klines are made of."""

_UNUSED = "0"
_WIDER = 8
"""How many times as far it is looked for klines, where windows without trades have left too few."""


@dataclass(frozen=True)
class KlinesAsked:
    """What is asked for.

    Attributes:
        market: Whose klines.
        interval: One of `INTERVALS`.
        start_ms: Those that open then or later, milliseconds since 1970; without it, the newest.
        end_ms: Those that open then or before, likewise.
        limit: So many of them.

    Raises:
        BadCombination: the end is before the start.
    """

    market: Market
    interval: str
    start_ms: int | None
    end_ms: int | None
    limit: int

    def __post_init__(self) -> None:
        if self.start_ms is not None and self.end_ms is not None and self.start_ms > self.end_ms:
            raise BadCombination(f"startTime={self.start_ms} is after endTime={self.end_ms}.")

    def questions(self, view: View, first_us: int, newest_us: int) -> Iterator[Query]:
        """Questions to a view, of which the first answer that has `limit` rows is the one, or else the last.

        Args:
            view: of bars.
            first_us: where the market's first window starts, UTC microseconds.
            newest_us: where its newest one does.
        """
        end_ms = None if self.end_ms is None else self.end_ms + 1
        if self.start_ms is None:
            yield self._question(view, None, end_ms, last=self.limit)
            return
        length_ms = kline_interval_us(self.interval, view) // 1000
        begin_ms = max(self.start_ms, first_us // 1000 // length_ms * length_ms)
        beyond_ms = newest_us // 1000 + 1
        beyond_ms = beyond_ms if end_ms is None else min(end_ms, beyond_ms)
        if begin_ms >= beyond_ms:
            yield self._question(view, self.start_ms, end_ms, limit=self.limit)
        reach_ms = self.limit * length_ms
        while begin_ms < beyond_ms:
            yield self._question(view, begin_ms, min(begin_ms + reach_ms, beyond_ms), limit=self.limit)
            if begin_ms + reach_ms >= beyond_ms:
                return
            reach_ms *= _WIDER

    def _question(
        self, view: View, start_ms: int | None, end_ms: int | None, last: int | None = None, limit: int | None = None
    ) -> Query:
        venue, symbol = self.market
        start, end = (None if time_ms is None else str(time_ms) for time_ms in (start_ms, end_ms))
        return parse_query(
            view, venue=venue, symbol=symbol, interval=self.interval, start=start, end=end, last=last, limit=limit
        )


def kline_interval_us(text: str, view: View) -> int:
    """An interval in microseconds.

    Raises:
        BadInterval: there is no such one.
    """
    if text not in INTERVALS:
        raise BadInterval(f"interval={text[:20]!r} is not among {', '.join(INTERVALS)}.")
    return parse_interval(text, view)


def klines(bars: pl.DataFrame, flow: pl.DataFrame, interval_us: int) -> bytes:
    """Rows of `bars` and of `taker_flow`, which are of the same windows, as an array of arrays of twelve values.

    These are: open time (milliseconds since 1970), open, high, low, close, volume, close time (the last millisecond),
    notional, trades, the takers' bought volume and notional, and one that is not used. Decimals are text.
    """
    opened_ms = (bars["window_start"].to_physical() // 1000).to_list()
    values = orjson.loads(columns_json(bars.select(BARS))) | orjson.loads(columns_json(flow.select(FLOW)))
    length_ms = interval_us // 1000
    told = [
        [open_ms, *prices, open_ms + length_ms - 1, *others, _UNUSED]
        for open_ms, prices, others in zip(
            opened_ms,
            zip(*(values[name] for name in BARS[:5]), strict=True),
            zip(*(values[name] for name in (*BARS[5:], *FLOW)), strict=True),
            strict=True,
        )
    ]
    return orjson.dumps(told)
