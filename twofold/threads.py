"""Threads of a process that answers quickly while it works: how it shares its time among them."""

from __future__ import annotations

import os
import sys

SWITCH_S = 0.0005
"""Seconds after which a thread that computes lets another one run. With Python's own 5 ms, a step that waits for Polars
a dozen times, each time behind a thread that computes, would take 60 ms longer."""


def answer_quickly() -> None:
    """Set this process up for small steps of work in several threads; to be called before Polars is imported.

    Frames are small here: to hand one to a second thread of Polars takes longer than to compute it.
    """
    sys.setswitchinterval(SWITCH_S)
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
