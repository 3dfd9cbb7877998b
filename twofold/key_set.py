"""A set of numbers without order among them, such as those of keys: sorted runs, of which like ones are merged."""

from __future__ import annotations

import numpy as np

_FAN = 4
"""A run is merged into the one before it unless that is more than so many times as long."""


class KeySet:
    """Numbers (Int64), 8 bytes each. Adding follows what is added, and looking takes few binary searches each."""

    def __init__(self) -> None:
        self._runs: list[np.ndarray] = []  # ascending each, none written to once it is there, the longest first

    def add(self, numbers: np.ndarray) -> None:
        """Take in numbers that are not there yet, in any order."""
        if not len(numbers):
            return
        run = np.sort(numbers)
        while self._runs and len(self._runs[-1]) <= _FAN * len(run):
            run = np.sort(np.concatenate([self._runs.pop(), run]), kind="stable")
        self._runs.append(run)

    def holds(self, numbers: np.ndarray) -> np.ndarray:
        """Whether each of some numbers is there."""
        held = np.zeros(len(numbers), dtype=bool)
        for run in self._runs:
            places = run.searchsorted(numbers)
            places[places == len(run)] = 0
            held |= run[places] == numbers
        return held

    def ordered(self) -> np.ndarray:
        """All of them, ascending."""
        return np.sort(np.concatenate(self._runs)) if self._runs else np.empty(0, np.int64)

    def __deepcopy__(self, memo: dict[int, object]) -> KeySet:
        """A set of the same numbers; the runs are shared, since they are never written to."""
        other = KeySet()
        other._runs = list(self._runs)
        return other
