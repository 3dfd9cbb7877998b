"""A stall: something that is waited for again and again, and once takes too long."""

from __future__ import annotations

import asyncio
from time import monotonic
from types import TracebackType

_LOOKS = 4


class Stall:
    """Sees whether what is done inside `with` takes too long. It costs nothing each time, unlike a timeout of its own.

    Args:
        longest_s: what it may take; up to a quarter more is not noticed.
    """

    def __init__(self, longest_s: float) -> None:
        self.is_there = False
        self._longest_s = longest_s
        self._since_s: float | None = None

    def __enter__(self) -> None:
        self._since_s = monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._since_s = None

    async def awaited(self) -> None:
        """Return once it is there."""
        while not self.is_there:
            await asyncio.sleep(self._longest_s / _LOOKS)
            self.is_there = self._since_s is not None and monotonic() - self._since_s > self._longest_s
