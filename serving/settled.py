"""Settled rows: what the batch side has by itself on a question, kept for as long as answers are made of it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock

import polars as pl

MOST_ROWS = 1_000_000
"""Rows that are kept at most. Most of their columns are the batch side's own, and take no memory besides."""


class Settled:
    """Frames by what was asked. Many may ask at once; a question that comes twice at once is answered twice."""

    def __init__(self) -> None:
        self._frames: dict[Hashable, pl.DataFrame] = {}
        self._rows = 0
        self._lock = Lock()

    def rows(self, asked: Hashable, make: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        """The rows of a question, made if they are not kept. Where there is no room, the others are let go."""
        known = self._frames.get(asked)
        if known is not None:
            return known
        made = make()
        with self._lock:
            if self._rows + made.height > MOST_ROWS:
                self._frames, self._rows = {}, 0
            if made.height <= MOST_ROWS and asked not in self._frames:
                self._frames[asked] = made
                self._rows += made.height
        return made
