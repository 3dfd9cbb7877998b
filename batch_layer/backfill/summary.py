"""The summary of a backfill: what became of the rows of each file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from batch_layer.backfill.backfill import Step
from twofold.account import Account


def summary(name: str, before: int, steps: Sequence[Step]) -> dict[str, Any]:
    """One row about a file: rows that had been there, and what became of the others, and in which publications.

    Args:
        name: the file's.
        before: how many of its rows had been taken in before.
        steps: what was done.
    """
    total = sum((step.account for step in steps), Account())
    sequences = [step.sequence for step in steps]
    between = f"{sequences[0]} to {sequences[-1]}" if len(sequences) > 1 else "".join(map(str, sequences))
    return {
        "file": name,
        "there before": before,
        "read": total.read,
        "taken": total.folded,
        "repeated": total.duplicates,
        "dead letters": total.dead_letters,
        "publications": between or "none",
    }
