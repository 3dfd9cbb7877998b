"""Value at risk and expected shortfall over one day, from the daily returns of what is held.

Losses are positive. Statistics are floats; every sum over them is in a fixed order.
"""

from __future__ import annotations

import hashlib
import math
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from twofold.clock import to_epoch_us
from twofold.publication import Publication

CONFIDENCES = (0.95, 0.99)
"""Levels at which risk is told."""

LEAST_RETURNS = 20
"""Days of returns below which no risk is told: one loss in 20 is what 95% is about."""

SCENARIOS = 100_000
"""Scenarios that Monte Carlo draws."""

_Floats = npt.NDArray[np.float64]


class TailRisk(NamedTuple):
    """Value at risk and expected shortfall, in the currency of the values."""

    value_at_risk: float
    expected_shortfall: float


def tail_risk(losses: _Floats, confidence: float) -> TailRisk:
    """The risk in a sample of losses.

    Value at risk is the least loss that at least `confidence` of the sample does not exceed (McNeil, Frey and
    Embrechts, "Quantitative Risk Management", 2nd edition, 2015, definition 2.8). Expected shortfall is the mean of the
    worst `1 - confidence` of it, the last of them in part (Acerbi and Tasche, "On the Coherence of Expected Shortfall",
    Journal of Banking & Finance 26 (2002), 1487-1503, definition 2.6).
    """
    ordered = np.sort(losses)[::-1]
    tail = round(len(ordered) * (1 - confidence), 9)  # what the binary form of `confidence` adds is no part of an item
    whole = math.floor(tail)
    shortfall = math.fsum(ordered[:whole])
    if whole < len(ordered):
        shortfall += (tail - whole) * float(ordered[whole])
    return TailRisk(float(ordered[min(whole, len(ordered) - 1)]), shortfall / tail)


def historical_losses(values: _Floats, returns: _Floats) -> _Floats:
    """What today's positions would have lost on each day.

    Args:
        values: of the positions, in money.
        returns: log returns, a row a day and a column a position.
    """
    return -_row_sums(values * np.expm1(returns))


def simulated_losses(values: _Floats, returns: _Floats, seed: int) -> _Floats:
    """Losses in `SCENARIOS` of Monte Carlo: jointly normal log returns of mean zero and the sample covariance.

    Source: J.P. Morgan and Reuters, "RiskMetrics Technical Document", 4th edition, 1996, chapters 5 and 7 (structured
    Monte Carlo; the mean of daily returns is taken as zero), with the plain sample covariance.

    Args:
        values: of the positions, in money.
        returns: log returns, a row a day and a column a position.
        seed: equal seeds draw equal scenarios.
    """
    centred = returns - np.array([math.fsum(column) / len(column) for column in returns.T])
    covariance = np.einsum("ti,tj->ij", centred, centred) / (len(returns) - 1)
    variances, directions = np.linalg.eigh(covariance)
    factor = directions * np.sqrt(np.maximum(variances, 0.0))
    draws = np.random.Generator(np.random.PCG64(seed)).standard_normal((SCENARIOS, len(values)))
    return -_row_sums(values * np.expm1(np.einsum("si,ji->sj", draws, factor)))


def seed_of(publication: Publication, day: date) -> int:
    """The seed of a day's scenarios, from which publication it is made of."""
    words = f"{publication.sequence} {to_epoch_us(publication.published_at)} {day.isoformat()}"
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big")


def _row_sums(table: _Floats) -> _Floats:
    """Sums over columns, from the left to the right, whatever the shape in memory."""
    total = np.zeros(len(table))
    for column in table.T:
        total = total + column
    return total
