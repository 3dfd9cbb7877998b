"""Rows: trades folded into windows, view by view, in plain decimals and fractions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from oracle.wire import EXACT, OracleTrade

Row = dict[str, Any]


def bars_values(trades: Sequence[OracleTrade]) -> Row:
    """Columns of `bars` over the trades of one window; at least one trade."""
    ordered = sorted(trades, key=lambda trade: (trade.event_us, trade.rank))
    prices = [trade.price for trade in ordered]
    volume, notional = _sum(trade.size for trade in ordered), _sum(trade.notional for trade in ordered)
    return {
        "open": _text(prices[0], 8),
        "high": _text(max(prices), 8),
        "low": _text(min(prices), 8),
        "close": _text(prices[-1], 8),
        "volume": _text(volume, 8),
        "notional": _text(notional, 16),
        "trades": len(ordered),
        "vwap": _rounded(Fraction(notional) / Fraction(volume)),
    }


def taker_flow_values(trades: Sequence[OracleTrade]) -> Row:
    """Columns of `taker_flow` over the trades of one window; at least one trade."""
    bought = [trade for trade in trades if trade.side == "buy"]
    sold = [trade for trade in trades if trade.side == "sell"]
    buy_volume, sell_volume = _sum(trade.size for trade in bought), _sum(trade.size for trade in sold)
    difference = Fraction(buy_volume) - Fraction(sell_volume)
    return {
        "buy_volume": _text(buy_volume, 8),
        "sell_volume": _text(sell_volume, 8),
        "buy_notional": _text(_sum(trade.notional for trade in bought), 16),
        "sell_notional": _text(_sum(trade.notional for trade in sold), 16),
        "imbalance": _rounded(difference / (Fraction(buy_volume) + Fraction(sell_volume))),
    }


def changed_bars_values(trades: Sequence[OracleTrade]) -> Row:
    """Columns of `bars` as tests change it (`laws.changed_bars`), over the trades of one window; at least one trade."""
    ordered = sorted(trades, key=lambda trade: (trade.event_us, trade.rank))
    volume = _sum(trade.size for trade in ordered)
    return {
        "close": _text(ordered[-1].price, 8),
        "low": _text(min(trade.price for trade in ordered), 8),
        "volume": _text(volume, 8),
        "trades": len(ordered),
        "buys": sum(trade.side == "buy" for trade in ordered),
        "mean_size": _rounded(Fraction(volume) / len(ordered)),
    }


class OracleView(NamedTuple):
    """What is said of the trades of a window, the grain, and how long after its end a window is waited for."""

    values: Callable[[Sequence[OracleTrade]], Row]
    grain_s: int = 60
    lateness_s: int = 0


VIEWS: Mapping[str, OracleView] = {
    "bars": OracleView(bars_values),
    "taker_flow": OracleView(taker_flow_values),
    "changed bars": OracleView(changed_bars_values, grain_s=30, lateness_s=20),
}


def rfc3339(time_us: int) -> str:
    """UTC microseconds as the answers write times."""
    time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)
    return time.isoformat().replace("+00:00", "Z")


def _sum(numbers: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for number in numbers:
        total = EXACT.add(total, number)
    return total


def _text(number: Decimal, places: int) -> str:
    return format(EXACT.quantize(number, Decimal(1).scaleb(-places)), "f")


def _rounded(number: Fraction) -> str:
    """At 8 places; a tie goes to the even neighbour, as Python rounds."""
    nearest = round(number, 8)
    return _text(EXACT.divide(Decimal(nearest.numerator), Decimal(nearest.denominator)), 8)
