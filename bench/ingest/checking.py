"""Checking: what each side found against the oracle. A difference is a sentence; no sentence means equal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from oracle import MINUTE_US, Bar, Bars

_RELATIVE_TOLERANCE = 1e-9


def check_ours(found: dict[str, Any], expected: Bars, broken: int) -> Iterator[str]:
    """Compare every bar exactly, and law 5: all trades folded, all broken records dead letters, nothing lost."""
    bars = {
        (row["symbol"], _epoch_us(row["window_start"])): Bar(
            row["trades"], *(Decimal(row[name]) for name in Bar._fields[1:])
        )
        for row in found["rows"]
    }
    if len(bars) != len(found["rows"]):
        yield f"{len(found['rows']) - len(bars)} bars come twice"
    for group in {**bars, **expected}:
        if bars.get(group) != expected.get(group):
            yield f"{group}: {bars.get(group)} instead of {expected.get(group)}"
    trades = sum(bar.trades for bar in expected.values())
    sums = {name: sum(account[name] for account in found["accounts"].values()) for name in _account(0, 0)}
    if sums != _account(trades, broken):
        yield f"account: {sums} instead of {_account(trades, broken)}"


def check_quix(found: dict[str, Any], expected: Bars) -> Iterator[str]:
    """Compare every closed bar: counts exactly, floats with a tolerance, open and close, by arrival there, not at all.

    Bars that were not closed must be the last ones of their symbol: nothing came that could have closed them.
    """
    bars = {(symbol, start_ms * 1000): values for symbol, start_ms, *values in found["rows"]}
    closed_to_us: dict[str, int] = {}
    for symbol, start_us in bars:
        closed_to_us[symbol] = max(start_us, closed_to_us.get(symbol, 0))
    for group, (trades, _, high, low, _, volume, notional) in bars.items():
        bar = expected.get(group)
        floats = zip((high, low, volume, notional), bar[2:4] + bar[5:7] if bar else (), strict=False)
        if bar is None or trades != bar.trades or not all(_near(one, other) for one, other in floats):
            yield f"{group}: {bars[group]} instead of {bar}"
    for symbol, start_us in expected:
        if (symbol, start_us) not in bars and start_us + MINUTE_US <= closed_to_us.get(symbol, 0):
            yield f"{(symbol, start_us)} is missing"
    if found["late"]:
        yield f"{found['late']} trades came too late"


def closed_trades(found: dict[str, Any]) -> int:
    """Count the trades in the bars that quixstreams closed."""
    return sum(row[2] for row in found["rows"])


def _account(trades: int, broken: int) -> dict[str, int]:
    return {"read": trades + broken, "folded": trades, "duplicates": 0, "dead_letters": broken, "lost": 0}


def _near(one: float, other: Decimal) -> bool:
    return math.isclose(one, other, rel_tol=_RELATIVE_TOLERANCE)


def _epoch_us(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000_000)
