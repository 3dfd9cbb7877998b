"""Waiting times: how long each probe took from when it was due to the first answer that held it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from asking import Answer


def waits_s(due_s: Mapping[str, Sequence[float]], answers: Iterable[Answer]) -> dict[str, list[float]]:
    """Tell how long each probe took, by symbol and in the order of their ids; probes that were never seen are left out.

    Probes of a symbol go through one lane in order, so an answer that counts n trades holds the first n.

    Args:
        due_s: when each probe was due to be produced, on the monotonic clock.
        answers: what was answered.
    """
    waits: dict[str, list[float]] = {symbol: [] for symbol in due_s}
    for answer in sorted(answers, key=lambda answer: answer.received_s):
        for symbol, dues_s in due_s.items():
            seen = waits[symbol]
            new = dues_s[len(seen) : answer.trades.get(symbol, 0)]
            seen += [answer.received_s - due for due in new]
    return waits


def percentile(values: Sequence[float], share: float) -> float:
    """Return the least value that at least `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
