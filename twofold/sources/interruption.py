"""Interruption: a wish to stop, by Ctrl-C or SIGTERM, that lets what has begun be ended well."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Notes the first signal instead of dying of it; a second one acts as ever.

    A context manager, for the main thread.
    """

    def __init__(self) -> None:
        self._requested = False
        self._before: dict[signal.Signals, signal._HANDLER] = {}

    def requested(self) -> bool:
        """Whether someone wants this to stop."""
        return self._requested

    def __enter__(self) -> Self:
        """Take over the signals."""
        self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the signals back."""
        self._give_back()

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._requested = True
        self._give_back()

    def _give_back(self) -> None:
        while self._before:
            signal.signal(*self._before.popitem())
