"""Checking: what each side found against the oracle. A difference is a sentence; no sentence means equal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from oracle import Bar, Bars

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
    """Compare every bar: counts exactly, floats with a tolerance, open and close (by arrival there) not at all."""
    bars = {(row["symbol"], row["start_ms"] * 1000): row for row in found["rows"]}
    for group in {**bars, **expected}:
        if not _same(bars.get(group), expected.get(group)):
            yield f"{group}: {bars.get(group)} instead of {expected.get(group)}"
    if found["late"]:
        yield f"{found['late']} trades came too late for their window"


def _account(trades: int, broken: int) -> dict[str, int]:
    return {"read": trades + broken, "folded": trades, "duplicates": 0, "dead_letters": broken, "lost": 0}


def _same(row: dict[str, Any] | None, bar: Bar | None) -> bool:
    if row is None or bar is None:
        return False
    floats = ("high", "low", "volume", "notional")
    near = (math.isclose(row[name], getattr(bar, name), rel_tol=_RELATIVE_TOLERANCE) for name in floats)
    return row["trades"] == bar.trades and all(near)


def _epoch_us(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000_000)
