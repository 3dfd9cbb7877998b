"""Stress: what positions would gain or lose if all prices moved at once, exactly."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

SHOCKS: dict[str, Decimal] = {
    f"all prices {percent:+d}%": Decimal(percent).scaleb(-2) for percent in (-50, -30, -20, -10, 10, 20, 30)
}
"""Scenario to the part of its price by which each market moves."""

PLACES = Decimal(1).scaleb(-16)
"""What amounts of money are rounded to, a tie to the even neighbour."""


def profit(values: Iterable[Decimal], shock: Decimal) -> Decimal:
    """The sum of what positions of these values gain."""
    with localcontext(prec=60):
        return (sum(values, Decimal(0)) * shock).quantize(PLACES, ROUND_HALF_EVEN)
