"""Faults: what can go wrong between a market and the event log."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random

from twofold.sources.garbage import break_message
from twofold.sources.market import Trade
from twofold.sources.message import Headers, Message, Scheduled

_LATEST_S = 5.0
"""A late trade is held back for at most this long."""
_REPEAT_MEAN_S = 2.0


@dataclass(frozen=True, slots=True)
class FaultShares:
    """Shares of trades, each from 0 to 1, that suffer a fault; a trade may suffer several.

    late: held back, so that it arrives up to 5 s after its event time, and after younger trades.
    repeated: sent a second time later, byte for byte.
    conflicting: sent a second time later with the other side, so that one id has two bodies.
    missing: never sent; its id is a hole.
    broken: an unusable record of it is sent first, then the trade itself, so that brokenness alone leaves no hole.
    """

    late: float = 0.0
    repeated: float = 0.0
    missing: float = 0.0
    broken: float = 0.0
    conflicting: float = 0.0


def schedule_trades(
    trades: Iterable[tuple[float, Trade]], shares: FaultShares, headers: Headers, rng: Random
) -> Iterator[Scheduled]:
    """Make messages of trades, in the order in which they are due, with faults.

    Args:
        trades: each with the time at which it happens, in seconds from the start, rising.
        shares: how many of them suffer what.
        headers: the headers of every message.
        rng: where the chance comes from; the trades themselves do not depend on it.
    """
    waiting: list[tuple[float, int, Message]] = []
    held = 0
    for at_s, trade in trades:
        while waiting and waiting[0][0] <= at_s:
            due_s, _, message = heapq.heappop(waiting)
            yield Scheduled(due_s, message)
        if rng.random() < shares.missing:
            continue
        message = Message(trade.symbol.encode(), trade.to_json(), headers)
        if rng.random() < shares.broken:
            yield Scheduled(at_s, break_message(trade, message, rng))
        sent_s = at_s
        if rng.random() < shares.late:
            sent_s = at_s + rng.uniform(0.0, _LATEST_S)
            heapq.heappush(waiting, (sent_s, held := held + 1, message))
        else:
            yield Scheduled(at_s, message)
        if rng.random() < shares.repeated:
            heapq.heappush(waiting, (sent_s + rng.expovariate(1 / _REPEAT_MEAN_S), held := held + 1, message))
        # Not drawn where there are none, so that the other faults of a seed stay as they were.
        if shares.conflicting and rng.random() < shares.conflicting:
            other = message._replace(value=_turned(trade).to_json())
            heapq.heappush(waiting, (sent_s + rng.expovariate(1 / _REPEAT_MEAN_S), held := held + 1, other))
    while waiting:
        due_s, _, message = heapq.heappop(waiting)
        yield Scheduled(due_s, message)


def _turned(trade: Trade) -> Trade:
    """The trade with the other side."""
    return trade._replace(side="sell" if trade.side == "buy" else "buy")
