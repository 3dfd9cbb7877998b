"""A writer that runs batch cycles as fast as it can, in a process of its own, and a log that is the same in each."""

from __future__ import annotations

from multiprocessing.synchronize import Barrier

from laws.market import Market, steady_trades
from laws.parts import run_cycle

from twofold.errors import Superseded
from twofold.lake import Lake


def raced_market() -> Market:
    """The log that all racing writers read."""
    market = Market()
    market.send(steady_trades(120))
    return market


def race(folder: str, cycles: int, start: Barrier) -> None:
    """Run cycles one after the other, some records in each. To be superseded is no failure; anything else is."""
    market = raced_market()
    start.wait()
    for _ in range(cycles):
        try:
            run_cycle(Lake(folder), market.log, max_records=10)
        except Superseded:
            continue
