"""The topic: the event log's name, id and partitions, and how it is made."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from kafka import KafkaAdminClient
from kafka.errors import (
    AuthorizationError,
    NoError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from twofold.errors import EventLogError, TopicMissing
from twofold.event_log.brokers import administer, refusal
from twofold.event_log.security import PLAIN, Security
from twofold.lane import Lane

MAX_MESSAGE_BYTES = 16 * 1024**2
"""The longest record batch of topics that Twofold makes: a record that is far too long must reach the dead letters."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as the brokers know it. Made anew under the same name, it has another id."""

    name: str
    topic_id: str
    partitions: tuple[int, ...]
    cluster_id: str = ""

    def lane(self, partition: int) -> str:
        """The name of the lane that a partition is."""
        return str(Lane(self.topic_id, partition))

    @property
    def lanes(self) -> tuple[str, ...]:
        """The names of all lanes, by partition."""
        return tuple(self.lane(partition) for partition in self.partitions)


def describe_topic(brokers: str, topic: str, security: Security = PLAIN) -> Topic:
    """Ask the brokers for a topic.

    Raises:
        TopicMissing: there is none of that name.
        EventLogUnreachable: no broker answers.
        EventLogDenied: the brokers do not let us in.
        EventLogError: the broker refuses.
    """
    with administer(brokers, security) as client:
        return look_up(client, brokers, topic)


def ensure_topic(brokers: str, topic: str, partitions: int, security: Security = PLAIN) -> Topic:
    """Make a topic whose records the broker stamps with its own time; an existing one is left as it is.

    Raises:
        EventLogUnreachable: no broker answers.
        EventLogDenied: the brokers do not let us in.
        EventLogError: the broker refuses.
    """
    with administer(brokers, security) as client:
        try:
            return look_up(client, brokers, topic)
        except TopicMissing:
            _create(client, topic, partitions)
        return look_up(client, brokers, topic)


def look_up(client: KafkaAdminClient, brokers: str, topic: str) -> Topic:
    """Ask for a topic through an open client; `brokers` is for the message of an error.

    Raises:
        TopicMissing: there is none of that name.
        EventLogDenied: the user may not read it.
        EventLogError: the broker refuses.
    """
    (found,) = client.describe_topics([topic])
    problem = for_code(found["error_code"])
    if problem is UnknownTopicOrPartitionError:
        raise TopicMissing(
            f"Kafka at {brokers} has no topic {topic!r}. `twofold up`, `twofold replay` and `twofold simulate` make "
            "it; or set TWOFOLD_TOPIC to one that exists."
        )
    if issubclass(problem, AuthorizationError):
        raise refusal(brokers, problem())
    if problem is not NoError:
        raise EventLogError(
            f"Kafka at {brokers} does not tell about topic {topic!r}: {problem.__name__}, {problem.description}"
        )
    partitions = sorted(partition["partition_index"] for partition in found["partitions"])
    cluster_id = client.describe_cluster()["cluster_id"]
    return Topic(found["name"], str(found["topic_id"]), tuple(partitions), cluster_id)


def _create(client: KafkaAdminClient, topic: str, partitions: int) -> None:
    wanted = {
        "num_partitions": partitions,
        "configs": {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(MAX_MESSAGE_BYTES)},
    }
    with suppress(TopicAlreadyExistsError):  # someone else was faster
        client.create_topics({topic: wanted})
    client.wait_for_topics([topic])  # the brokers answer before all of them know it
