import time
import uuid
from collections.abc import Callable

import pytest
from kafka import KafkaAdminClient

from twofold.errors import TopicMissing
from twofold.event_log.topic import Topic, ensure_topic
from twofold.event_log.watch import TopicWatch

pytestmark = pytest.mark.integration

OFTEN_S = 0.05


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def topic(kafka: str) -> Topic:
    return ensure_topic(kafka, f"watched-{uuid.uuid4()}", 1)


def is_gone(watch: TopicWatch) -> bool:
    try:
        watch.newest()
    except TopicMissing:
        return True
    return False


def test_it_knows_the_topic_from_the_start(kafka: str, topic: Topic) -> None:
    with TopicWatch(kafka, topic.name) as watch:
        assert watch.newest() == topic


def test_it_notices_new_partitions(kafka: str, topic: Topic) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    with TopicWatch(kafka, topic.name, OFTEN_S) as watch:
        admin.create_partitions({topic.name: 3})
        until(lambda: watch.newest().partitions == (0, 1, 2))
    admin.close()


def test_it_notices_that_the_topic_is_gone_and_that_another_has_its_name(kafka: str, topic: Topic) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    with TopicWatch(kafka, topic.name, OFTEN_S) as watch:
        admin.delete_topics([topic.name])
        until(lambda: is_gone(watch))
        again = ensure_topic(kafka, topic.name, 1)
        until(lambda: not is_gone(watch))
        assert watch.newest() == again
        assert again.topic_id != topic.topic_id
    admin.close()


def test_a_topic_that_never_was_is_missing_at_once(kafka: str) -> None:
    with pytest.raises(TopicMissing):
        TopicWatch(kafka, f"never-{uuid.uuid4()}")
