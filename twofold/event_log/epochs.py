"""Leader epochs: by them brokers tell whether what lies below a position still is what was read.

A position that bears the epoch in which it was reached is compared with the leader's log before anything is fetched
there, and with each fetch (KIP-320). kafka-python does all of it, but its public `seek` and `position` leave the epoch
out. What is used instead is no public interface: where a release changed it, positions bear no epoch, and a log that
was truncated and has grown past the position again is not told from one that was not.
"""

from __future__ import annotations

from contextlib import suppress

from kafka import KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata


def seek(consumer: KafkaConsumer, partition: TopicPartition, offset: int, epoch: int) -> None:
    """Go to an offset that was reached in a leader epoch; -1 where that is not known."""
    consumer.seek(partition, offset)
    if epoch >= 0:
        with suppress(AttributeError, TypeError):
            consumer._subscription.seek(partition, OffsetAndMetadata(offset, "", epoch))  # noqa: SLF001  # see above


def epoch_at(consumer: KafkaConsumer, partition: TopicPartition, offset: int) -> int:
    """The leader epoch in which an offset was reached; -1 where the consumer is elsewhere or does not know."""
    with suppress(AttributeError, KeyError):
        position = consumer._subscription.assignment[partition].position  # noqa: SLF001  # see above
        if position is not None and position.offset == offset:
            return int(position.leader_epoch)
    return -1
