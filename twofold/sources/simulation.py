"""The simulation: market, arrivals and faults put together, from one seed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from random import Random

from twofold.sources.arrivals import arrival_times
from twofold.sources.faults import FaultShares, schedule_trades
from twofold.sources.market import Market
from twofold.sources.message import Headers, Scheduled


def simulate_market(
    *,
    rate: float,
    symbols: int,
    seed: int,
    start_us: int,
    shares: FaultShares,
    headers: Headers,
    count: int | None = None,
) -> Iterator[Scheduled]:
    """Make the messages of a market; equal arguments make equal messages.

    Chance is drawn apart for arrivals, market and faults: asking for faults changes no trade.

    Args:
        rate: mean trades a second over the long run.
        symbols: how many symbols trade.
        seed: where the chance comes from.
        start_us: when the schedule starts, in UTC microseconds; event times follow it, and ids start there, so that a
            later run does not use the ids of an earlier one again.
        shares: how many trades suffer which fault.
        headers: the headers of every message.
        count: how many trades the market makes; None makes them without end.
    """
    market = Market(symbols, start_us, _chance(seed, "market"))
    arrivals_s = arrival_times(rate, _chance(seed, "arrivals"))
    return schedule_trades(market.trades(islice(arrivals_s, count)), shares, headers, _chance(seed, "faults"))


def _chance(seed: int, of: str) -> Random:
    return Random(f"{seed} {of}")  # noqa: S311 - a made-up market keeps no secret
