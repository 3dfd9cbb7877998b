"""Realised volatility of a day from the bars of its parts, as the standard deviation of the day's log return.

Each estimator adds up the variances of the parts, in their order. Parts without trades add nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

DAYS_A_YEAR = 365
"""Of a market that is open each day."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Volatility:
    """Estimates of one market's volatility over one day; times `sqrt(DAYS_A_YEAR)` they are annual ones."""

    close_to_close: float
    parkinson: float
    garman_klass: float


def realised(parts: pl.DataFrame) -> Volatility:
    """Estimate the volatility of a day.

    Args:
        parts: `open`, `high`, `low` and `close` of one market, in the order of time; at least one row.
    """
    opened, high, low, close = (parts[name].cast(pl.Float64).to_numpy() for name in ("open", "high", "low", "close"))
    return Volatility(
        close_to_close(np.concatenate([opened[:1], close])),
        parkinson(high, low),
        garman_klass(opened, high, low, close),
    )


def close_to_close(prices: _Floats) -> float:
    """The root of the sum of squared log returns: sqrt(sum ln(p[i] / p[i-1])^2).

    Source: Andersen and Bollerslev, "Answering the Skeptics", International Economic Review 39 (1998), 885-905.
    """
    return _root_of_sum(np.diff(np.log(prices)) ** 2)


def parkinson(high: _Floats, low: _Floats) -> float:
    """By the ranges: sqrt(sum ln(high / low)^2 / (4 ln 2)).

    Source: Parkinson, "The Extreme Value Method for Estimating the Variance of the Rate of Return", Journal of Business
    53 (1980), 61-65.
    """
    return _root_of_sum(np.log(high / low) ** 2 / (4 * math.log(2)))


def garman_klass(opened: _Floats, high: _Floats, low: _Floats, close: _Floats) -> float:
    """By ranges and changes: sqrt(sum (ln(high / low)^2 / 2 - (2 ln 2 - 1) ln(close / open)^2)).

    Source: Garman and Klass, "On the Estimation of Security Price Volatilities from Historical Data", Journal of
    Business 53 (1980), 67-78; the practical form of their best analytic estimator.
    """
    ranges, changes = np.log(high / low), np.log(close / opened)
    return _root_of_sum(ranges**2 / 2 - (2 * math.log(2) - 1) * changes**2)


def _root_of_sum(variances: _Floats) -> float:
    return math.sqrt(math.fsum(variances))
