"""The writer: puts messages into the event log, with every one of them acknowledged."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError, RetriableError
from kafka.partitioner import murmur2

from twofold.errors import EventLogError, EventLogUnreachable
from twofold.event_log.brokers import unreachable
from twofold.event_log.security import PLAIN, Security
from twofold.event_log.topic import describe_topic, ensure_topic
from twofold.sources.message import Message

PATIENCE_S = 60.0
"""How long to wait for a broker that does not answer yet."""
_RETRY_S = 1.0
_LINGER_MS = 5
_BATCH_BYTES = 256 * 1024
_CLOSE_S = 2.0
"""Closing waits no longer than this: what matters was flushed before, or has failed already."""
_LARGEST_REQUEST_BYTES = 16 * 1024**2
_UNACKNOWLEDGED_BYTES = 16 * 1024**2
"""What may be on its way at once. The producer itself has no bound: a slow broker would fill the memory."""


def wait_for_topic(
    brokers: str,
    topic: str,
    partitions: int,
    *,
    tell: Callable[[str], None],
    security: Security = PLAIN,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Make sure that the topic exists, and wait up to `PATIENCE_S` for a broker that does not answer yet.

    Args:
        brokers: `host:port,…`.
        topic: its name.
        partitions: how many it gets when it is created here.
        tell: takes one sentence for a person, once, when there is something to wait for.
        security: how to connect.
        now: a clock in seconds that never goes back.
        sleep: waits for so many seconds.

    Raises:
        EventLogUnreachable: no broker has answered in time.
        EventLogDenied: the brokers do not let us in.
    """
    gives_up_s = now() + PATIENCE_S
    told = False
    while True:
        try:
            ensure_topic(brokers, topic, partitions, security)
        except EventLogUnreachable:
            if now() >= gives_up_s:
                raise
            if not told:
                tell(f"Waiting up to {PATIENCE_S:.0f} s for Kafka at {brokers} …")
                told = True
            sleep(_RETRY_S)
        else:
            return


class TradeWriter:
    """Writes messages to one topic. A context manager; leaving it well flushes.

    The partition of a key is the one that Kafka's own clients choose (murmur2): all producers of a symbol agree.

    Args:
        brokers: `host:port,…`.
        topic: an existing topic.
        security: how to connect.

    Raises:
        EventLogUnreachable: no broker answers.
        EventLogDenied: the brokers do not let us in.
        TopicMissing: there is no such topic.
    """

    def __init__(self, brokers: str, topic: str, security: Security = PLAIN) -> None:
        self._brokers = brokers
        self._topic = topic
        self._pending: deque[tuple[Any, int]] = deque()
        self._pending_bytes = 0
        self.acknowledged = 0
        """Messages that the broker is known to have."""
        partitions = describe_topic(brokers, topic, security).partitions
        try:
            self._producer = KafkaProducer(
                bootstrap_servers=brokers.split(","),
                acks="all",
                linger_ms=_LINGER_MS,
                batch_size=_BATCH_BYTES,
                max_request_size=_LARGEST_REQUEST_BYTES,
                allow_auto_create_topics=False,
                metrics_enabled=False,
                **security.client_options(),
            )
        except KafkaError as error:
            raise self._failure(error) from error
        self._partition_of = lru_cache(maxsize=65_536)(
            lambda key: partitions[(murmur2(key) & 0x7FFFFFFF) % len(partitions)]
        )

    def write(self, message: Message) -> None:
        """Hand a message over; it waits only while too much is unacknowledged.

        Raises:
            EventLogUnreachable: the broker has not acknowledged a message in time.
            EventLogError: the broker or the producer refused a message.
        """
        key, value, headers = message
        try:
            future = self._producer.send(
                self._topic, value, key, headers, partition=None if key is None else self._partition_of(key)
            )
        except KafkaError as error:
            raise self._failure(error, message.size_bytes) from error
        self._pending.append((future, message.size_bytes))
        self._pending_bytes += message.size_bytes
        while self._pending_bytes > _UNACKNOWLEDGED_BYTES:
            self._settle_oldest()

    def flush(self) -> None:
        """Wait until every message handed over is acknowledged.

        Raises:
            EventLogUnreachable: the broker has not acknowledged a message in time.
            EventLogError: the broker refused a message.
        """
        while self._pending:
            self._settle_oldest()

    def __enter__(self) -> Self:
        """Return the writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Flush, unless an error is on its way already, and close the connection."""
        try:
            if error is None:
                self.flush()
        finally:
            with suppress(KafkaTimeoutError):
                self._producer.close(timeout=_CLOSE_S)

    def _settle_oldest(self) -> None:
        future, size_bytes = self._pending.popleft()
        try:
            future.get()
        except KafkaError as error:
            raise self._failure(error, size_bytes) from error
        self._pending_bytes -= size_bytes
        self.acknowledged += 1

    def _failure(self, error: KafkaError, size_bytes: int = 0) -> EventLogError:
        if isinstance(error, RetriableError):
            return unreachable(self._brokers, error)
        if isinstance(error, MessageSizeTooLargeError):
            return EventLogError(
                f"A record of {size_bytes:,} bytes is larger than topic {self._topic!r} or this writer "
                f"({_LARGEST_REQUEST_BYTES:,} bytes) takes. Remove it, or raise max.message.bytes of the topic."
            )
        return EventLogError(f"Kafka at {self._brokers} refused a record for topic {self._topic!r}: {error}.")
