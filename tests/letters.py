"""Dead letters for tests: a market with a source that is declared too late, and the log that takes retries."""

from __future__ import annotations

from collections.abc import Mapping

from memory_log import Headers
from small_market import LANES, SmallMarket, time_us, trade_value

from batch_layer.cycle import BatchCycle
from batch_layer.resending import Resending
from twofold.publication import Publication
from twofold.source import SHIPPED_SOURCES, Source

DESK = Source(venue="desk", wire_format="canonical", ids="unique", collected_header="collected_us")
MENDED = {**SHIPPED_SOURCES, "desk": DESK}
"""The sources once `desk` is declared; before, its records are dead letters."""


def desk_trade(
    market: SmallMarket,
    trade_id: int = 1,
    *,
    lane: int = 0,
    clock: str = "10:00:00",
    value: bytes | None = None,
    key: bytes | None = b"BTCUSDT",
    headers: Headers = (),
) -> int:
    """Log a trade of the source `desk`, or another value as one, and return its offset."""
    value = trade_value(clock, trade_id) if value is None else value
    named = (("source", b"desk"), *headers)
    return market.log.append(LANES[lane], value, timestamp_ms=time_us(clock) // 1000, key=key, headers=named)


def cycle(market: SmallMarket, sources: Mapping[str, Source] = SHIPPED_SOURCES) -> Publication:
    """Run one batch cycle with these sources."""
    batch_cycle = BatchCycle(market.lake, market.log.open_reader, market.views, sources, "simulator")
    intake = batch_cycle.ingest(1_000_000)
    return batch_cycle.publish(intake, batch_cycle.fold(intake))


def send(market: SmallMarket, plan: Resending, *, lane: int = 1, clock: str = "12:00:00") -> int:
    """Log what a plan sends, all in one lane, and return how many records that were."""
    messages = list(plan.messages())
    for message in messages:
        logged_ms = time_us(clock) // 1000
        market.log.append(
            LANES[lane], message.value, timestamp_ms=logged_ms, key=message.key, headers=tuple(message.headers)
        )
    return len(messages)
