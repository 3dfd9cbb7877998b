"""Responsiveness: how a process that takes many small steps in several threads is set up, so that none waits long."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SWITCH_S = 0.0005
"""Seconds after which a thread that computes lets another one run. With Python's own 5 ms, a step that waits for Polars
a dozen times, each time behind a thread that computes, would take 60 ms longer."""


@contextmanager
def responsive() -> Iterator[None]:
    """Set this process up; what it needs is imported inside.

    Polars gets one thread, which it reads when it is imported: to hand a small frame to a second one takes longer than
    to compute it. What has been imported is left out of garbage collection, which would walk through it every time.
    """
    sys.setswitchinterval(SWITCH_S)
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    yield
    gc.collect()
    gc.freeze()
