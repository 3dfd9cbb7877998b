"""The identity of the log on a real Kafka: another cluster, a topic made anew, a log that lost its end."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer

from twofold.errors import ClusterDiffers, EventLogError, LogTruncated, TopicMissing, TopicReplaced
from twofold.event_log import jars
from twofold.event_log.embedded import EmbeddedKafka
from twofold.event_log.fetch_by_id import fetch_by_id
from twofold.event_log.reader import LogReader
from twofold.event_log.topic import Topic, describe_topic, ensure_topic
from twofold.lane import Positions
from twofold.log_identity import LogIdentity
from twofold.port import free_port
from twofold.records import RecordBatch

pytestmark = pytest.mark.integration


def name() -> str:
    return f"identity-{uuid.uuid4()}"


def write(brokers: str, topic: Topic, *values: str) -> None:
    with closing(KafkaProducer(bootstrap_servers=brokers)) as producer:
        for sent in [producer.send(topic.name, value.encode(), partition=0) for value in values]:
            sent.get(30)


def numbered(word: str, count: int) -> list[str]:
    return [f"{word} {number}" for number in range(count)]


def read_until(reader: LogReader, positions: Positions) -> list[str]:
    values: list[str] = []
    deadline = time.monotonic() + 60
    while reader.positions != positions:
        assert time.monotonic() < deadline, f"it did not come in time; positions {reader.positions}"
        values += values_of(reader.poll(100, 1_000))
    return values


def values_of(batches: list[RecordBatch]) -> list[str]:
    return [(value or b"").decode() for batch in batches for value in batch.values]


@pytest.fixture
def admin(kafka: str) -> Iterator[KafkaAdminClient]:
    with closing(KafkaAdminClient(bootstrap_servers=kafka)) as client:
        yield client


def test_a_reader_says_which_log_it_reads_and_holds_to_it(kafka: str) -> None:
    topic = ensure_topic(kafka, name(), 1)
    write(kafka, topic, *numbered("one", 5))
    with LogReader(kafka, topic.name, {}) as reader:
        read_until(reader, {topic.lane(0): 5})
        log = reader.log
    assert log == LogIdentity(describe_topic(kafka, topic.name).cluster_id, topic.topic_id, log.epochs)
    assert log.epochs[topic.lane(0)] >= 0
    write(kafka, topic, "more")
    with LogReader(kafka, topic.name, {topic.lane(0): 5}) as reader:
        reader.hold_to(log)
        assert read_until(reader, {topic.lane(0): 6}) == ["more"]


def test_positions_of_another_cluster_are_refused_by_name(kafka: str) -> None:
    topic = ensure_topic(kafka, name(), 1)
    with (
        LogReader(kafka, topic.name, {}) as reader,
        pytest.raises(ClusterDiffers, match=r"cluster other.*doctor --mend"),
    ):
        reader.hold_to(LogIdentity("other", topic.topic_id))


@pytest.mark.parametrize("public_path", [False, True])
def test_of_a_topic_made_anew_nothing_is_read_for_the_old_one(
    kafka: str, admin: KafkaAdminClient, *, public_path: bool
) -> None:
    topic = ensure_topic(kafka, name(), 1)
    write(kafka, topic, *numbered("old", 3))
    with LogReader(kafka, topic.name, {}, public_path=public_path) as reader:
        assert read_until(reader, {topic.lane(0): 3}) == numbered("old", 3)
        admin.delete_topics([topic.name])
        write(kafka, ensure_topic(kafka, topic.name, 1), *numbered("new", 50))
        assert isinstance(raised_by(reader), TopicReplaced | TopicMissing)
        assert reader.positions == {topic.lane(0): 3}


def test_where_the_client_library_does_not_fit_fetches_go_by_name(kafka: str, caplog: pytest.LogCaptureFixture) -> None:
    topic = ensure_topic(kafka, name(), 1)
    assert not fetch_by_id(object(), topic, lambda: None)
    assert "Fetching by topic id does not fit" in caplog.text


def test_a_restored_disk_is_noticed_though_the_log_has_grown_past_the_position(tmp_path: Path) -> None:
    kafka = EmbeddedKafka(tmp_path / "kafka", free_port(), jars.default_cache())
    with kafka:
        topic = ensure_topic(kafka.brokers, name(), 1)
        write(kafka.brokers, topic, *numbered("kept", 4))
    shutil.copytree(tmp_path / "kafka", tmp_path / "copy")
    lane = topic.lane(0)
    with kafka:
        write(kafka.brokers, topic, *numbered("lost", 4))
        with LogReader(kafka.brokers, topic.name, {}) as reader:
            assert read_until(reader, {lane: 8}) == [*numbered("kept", 4), *numbered("lost", 4)]
            log = reader.log
    shutil.rmtree(tmp_path / "kafka")
    (tmp_path / "copy").rename(tmp_path / "kafka")
    with kafka:
        pass  # each start is an epoch: after one alone, the epochs would be the same as they were
    with kafka:
        write(kafka.brokers, topic, *numbered("other", 9))
        with LogReader(kafka.brokers, topic.name, {lane: 8}) as reader:
            reader.hold_to(log)
            error = raised_by(reader)
        assert isinstance(error, LogTruncated)
        assert error.parts_at == {lane: 4}
        assert f"{lane} (read up to 8, the same up to 4)" in str(error)
        with LogReader(kafka.brokers, topic.name, {f"{lane}~1": 4}) as reader:
            assert read_until(reader, {f"{lane}~1": 13}) == numbered("other", 9)


def raised_by(reader: LogReader) -> EventLogError:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            assert values_of(reader.poll(100, 100)) == []
        except EventLogError as error:
            return error
    pytest.fail("no error came")


@pytest.mark.parametrize("public_path", [False, True])
def test_epochs_that_followed_each_other_are_no_truncation(tmp_path: Path, *, public_path: bool) -> None:
    kafka = EmbeddedKafka(tmp_path / "kafka", free_port(), jars.default_cache())
    with kafka:
        topic = ensure_topic(kafka.brokers, name(), 1)
        write(kafka.brokers, topic, *numbered("first", 4))
        lane = topic.lane(0)
        with LogReader(kafka.brokers, topic.name, {}) as reader:
            read_until(reader, {lane: 4})
            log = reader.log
    with kafka:
        write(kafka.brokers, topic, *numbered("second", 4))
        with LogReader(kafka.brokers, topic.name, {lane: 4}, public_path=public_path) as reader:
            reader.hold_to(log)
            assert read_until(reader, {lane: 8}) == numbered("second", 4)
            assert reader.log.epochs[lane] > log.epochs[lane]
            reader._astray = True  # as after a poll that failed: all positions are gone to again
            write(kafka.brokers, topic, "third")
            assert read_until(reader, {lane: 9}) == ["third"]
