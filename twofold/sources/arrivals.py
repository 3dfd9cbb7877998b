"""Arrivals: when trades happen in a simulated market, calm most of the time, with bursts."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

_BURST_SHARE = 0.1
"""Share of the time that is a burst."""
_BURST_FACTOR = 5.0
"""How many times the mean rate a burst has; the calm rate follows, so that the mean holds."""
_CALM_FACTOR = (1 - _BURST_SHARE * _BURST_FACTOR) / (1 - _BURST_SHARE)
_MEAN_BURST_S = 1.0
_MEAN_CALM_S = _MEAN_BURST_S * (1 - _BURST_SHARE) / _BURST_SHARE


def arrival_times(rate: float, rng: Random) -> Iterator[float]:
    """Draw arrival times without end, in seconds from the start, rising.

    A Poisson process whose rate switches between a calm and a burst level; both last exponentially long.

    Args:
        rate: mean arrivals a second over the long run.
        rng: where the chance comes from; equal states give equal times.
    """
    at_s = 0.0
    bursting = False
    while True:
        ends_s = at_s + rng.expovariate(1 / (_MEAN_BURST_S if bursting else _MEAN_CALM_S))
        level = rate * (_BURST_FACTOR if bursting else _CALM_FACTOR)
        while (at_s := at_s + rng.expovariate(level)) < ends_s:
            yield at_s
        at_s = ends_s
        bursting = not bursting
