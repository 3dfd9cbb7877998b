"""The counts of records by cycle, and whether they have begun to be others, by ADWIN.

ADWIN (Bifet and Gavaldà, 2007) keeps a window of figures and drops its older part when the means of two parts differ by
more than chance explains. That is news, and no fault by itself: markets wake and sleep. So it warns.

What `river.drift` wraps is taken from where it is: the package around it imports SciPy, for a second in each cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log1p

from river._river_rust.drift import AdaptiveWindowing

KEPT = 128
"""Counts that are kept: at a cycle every 15 s, half an hour."""


def with_count(counts: Sequence[int], count: int) -> tuple[int, ...]:
    """Counts of the newest cycles with one more."""
    return (*counts, count)[-KEPT:]


def has_changed(counts: Sequence[int]) -> bool:
    """Whether the newest of these counts shows that they have begun to be others. Their logarithms are compared."""
    window = AdaptiveWindowing(clock=1)  # looks at each figure
    return [bool(window.update(log1p(count))) for count in counts][-1:] == [True]
