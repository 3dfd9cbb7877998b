import socket
import uuid

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from twofold.errors import EventLogError, EventLogUnreachable, TopicMissing
from twofold.event_log.topic import Topic, describe_topic, ensure_topic

pytestmark = pytest.mark.integration


@pytest.fixture
def name() -> str:
    return f"topic-{uuid.uuid4()}"


def settings_of(kafka: str, topic: str) -> dict[str, str]:
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    try:
        described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    finally:
        admin.close()
    return described["topic"][topic]


def test_a_topic_that_is_ensured_has_the_partitions_asked_for_and_an_id(kafka: str, name: str) -> None:
    topic = ensure_topic(kafka, name, 12)
    assert topic == describe_topic(kafka, name)
    assert topic.partitions == tuple(range(12))
    assert uuid.UUID(topic.topic_id).int
    assert topic.lanes == tuple(f"{topic.topic_id}/{number}" for number in range(12))


def test_an_existing_topic_is_left_as_it_is(kafka: str, name: str) -> None:
    first = ensure_topic(kafka, name, 2)
    assert ensure_topic(kafka, name, 5) == first


def test_the_broker_stamps_the_records_and_takes_long_ones(kafka: str, name: str) -> None:
    ensure_topic(kafka, name, 1)
    settings = settings_of(kafka, name)
    assert "LogAppendTime" in str(settings["message.timestamp.type"])
    assert str(16 * 1024 * 1024) in str(settings["max.message.bytes"])


def test_a_topic_that_does_not_exist_is_missing_and_stays_so(kafka: str, name: str) -> None:
    for _ in range(2):
        with pytest.raises(TopicMissing, match=rf"no topic '{name}'.*twofold up"):
            describe_topic(kafka, name)


def test_a_name_that_kafka_does_not_take_is_refused_with_the_reason(kafka: str) -> None:
    with pytest.raises(EventLogError, match="a/b"):
        ensure_topic(kafka, "a/b", 1)


def test_without_a_broker_the_error_says_where_none_answers_and_what_to_do() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        brokers = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(EventLogUnreachable, match=rf"{brokers}.*twofold kafka.*TWOFOLD_BOOTSTRAP_SERVERS"):
            describe_topic(brokers, "trades")
        with pytest.raises(EventLogUnreachable):
            ensure_topic(brokers, "trades", 1)


def test_lanes_are_named_by_the_topics_id() -> None:
    assert Topic("trades", "an-id", (0, 3)).lane(3) == "an-id/3"
