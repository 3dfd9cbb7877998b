"""Events that Prefect hears of a Twofold: their names, and of what they are."""

from __future__ import annotations

HEARTBEAT = "twofold.speed.heartbeat"
"""A speed worker is at work; its state and its lag go with it."""

CYCLE_HELD = "twofold.cycle.held"
"""A batch cycle failed its checks and was not published."""

STATE = "twofold.state"
"""The label that bears the state of a speed worker."""


def lake_resource(topic: str) -> str:
    """The id of the lake that is made of a topic."""
    return f"twofold.lake.{topic}"


def worker_resource(topic: str, worker: str) -> str:
    """The id of a speed worker by the numbers of worker and replica, such as `0.0`; `*` for any of a topic."""
    return f"twofold.speed-worker.{topic}.{worker}"
