"""The workload of `make bench-ingest`: the trades of a simulated market, and the same with poison between them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random

from twofold.sources.faults import FaultShares
from twofold.sources.garbage import break_message
from twofold.sources.market import Trade
from twofold.sources.message import Message
from twofold.sources.simulation import simulate_market

SYMBOLS = 200
TRADES_A_SECOND = 2_000
LATE_SHARE = 0.005
POISON_SHARE = 0.01
SEED = 20_240_809
START_US = 1_723_161_600_000_000
"""2024-08-09 00:00 UTC."""


def trades(count: int) -> Iterator[Message]:
    """Make canonical trades without headers, in arrival order; always the same ones."""
    schedule = simulate_market(
        rate=TRADES_A_SECOND,
        symbols=SYMBOLS,
        seed=SEED,
        start_us=START_US,
        shares=FaultShares(late=LATE_SHARE),
        headers=[],
        count=count,
    )
    return (message for _, message in schedule)


class Poison:
    """Breaks a share of messages, in the ways in which the simulator does; always the same ones."""

    def __init__(self) -> None:
        self._rng = Random(SEED)

    def of(self, message: Message) -> Message | None:
        """Make a broken record to be sent before `message`, or None for most messages."""
        if message.value is None or self._rng.random() >= POISON_SHARE:
            return None
        return break_message(Trade(**json.loads(message.value)), message, self._rng)
