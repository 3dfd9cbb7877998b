"""Waiting for what will be so before long, on a machine that may be busy."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

PATIENCE_S = 60.0


def eventually(look: Callable[[], Found | None], within_s: float = PATIENCE_S) -> Found:
    """Look again and again until what is found is true, and return it."""
    deadline = time.monotonic() + within_s
    while True:
        if found := look():
            return found
        assert time.monotonic() < deadline, f"it was not so within {within_s:.0f} s"
        time.sleep(0.02)
