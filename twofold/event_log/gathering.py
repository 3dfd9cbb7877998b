"""Gathering: how long the broker waits for more records before it answers a fetch.

While records come, a fetch waits some milliseconds, so that they come many at a time: a micro-batch has a fixed cost.
While none come, it waits long, and is answered at the first record. The client asks for the next records as soon as it
hands some over, so they gather while those are worked on; to wait beside the broker instead would leave what had come
by then lying for as long again.

kafka-python reads both limits from its fetcher's settings at each fetch. That is no public interface: if a release
changes it, fetches go on as an idle reader's do, with less in each.
"""

from __future__ import annotations

from kafka import KafkaConsumer

GATHER_MS = 6
"""Milliseconds that a fetch waits for more while records come."""

IDLE_MS = 100
"""Milliseconds after which a fetch is answered when nothing has come."""

_GATHER_BYTES = 1024**2  # with so much at hand the broker answers at once


class Gathering:
    """Sets what a consumer's next fetches wait for."""

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._settings: dict[str, object] = getattr(getattr(consumer, "_fetcher", None), "config", {})

    def after(self, *, records_came: bool) -> None:
        """Go by what the last poll returned."""
        wait_ms, least_bytes = (GATHER_MS, _GATHER_BYTES) if records_came else (IDLE_MS, 1)
        self._settings["fetch_max_wait_ms"] = wait_ms
        self._settings["fetch_min_bytes"] = least_bytes
