"""That every message reaches the event log whole, or an error says why not."""

from __future__ import annotations

import socket
from uuid import uuid4

import pytest
from kafka import KafkaConsumer, TopicPartition

from twofold.errors import EventLogError, EventLogUnreachable, TopicMissing
from twofold.event_log.topic import ensure_topic
from twofold.sources.message import Message
from twofold.sources.writer import TradeWriter, wait_for_topic


@pytest.fixture
def nowhere() -> str:
    """An address at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def topic_with(brokers: str, partitions: int) -> str:
    return ensure_topic(brokers, f"writer-{uuid4().hex}", partitions).name


def records_of(brokers: str, topic: str, partitions: int) -> list[tuple[int, Message]]:
    """Read a topic to its end: partition and message, in the order of each partition."""
    with KafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="none", enable_auto_commit=False) as consumer:
        lanes = [TopicPartition(topic, partition) for partition in range(partitions)]
        consumer.assign(lanes)
        for lane in lanes:
            consumer.seek(lane, 0)
        ends = consumer.end_offsets(lanes)
        found: list[tuple[int, Message]] = []
        while any(consumer.position(lane) < ends[lane] for lane in lanes):
            for lane, records in consumer.poll(timeout_ms=1000).items():
                found += [(lane.partition, Message(r.key, r.value, list(r.headers))) for r in records]
    return found


@pytest.mark.integration
def test_every_message_arrives_byte_for_byte_and_in_order(kafka: str) -> None:
    topic = topic_with(kafka, 1)
    messages = [
        Message(b"BTCUSDT", b'{"a": "\n"}', [("source", b"binance-spot"), ("collected_us", b"17")]),
        Message(b"\xff\xfe", b"\x00\xff", []),
        Message(None, b"{", [("source", b"binance-spot")]),
        Message(b"BTCUSDT", b"", []),
        Message(b"BTCUSDT", None, []),
        *(Message(b"BTCUSDT", b"%d" % number, []) for number in range(5000)),
    ]
    with TradeWriter(kafka, topic) as writer:
        for message in messages:
            writer.write(message)
    assert writer.acknowledged == len(messages)
    assert [message for _, message in records_of(kafka, topic, 1)] == messages


@pytest.mark.integration
def test_a_symbol_has_the_partition_that_any_other_producer_gives_it(kafka: str) -> None:
    topic = topic_with(kafka, 4)
    symbols = [b"BTCUSDT", b"ETHUSDT", b"SOLUSDT", b"XRPUSDT", b"BNBUSDT"]
    with TradeWriter(kafka, topic) as writer:
        for symbol in symbols:
            writer.write(Message(symbol, b"{}", []))
    # as org.apache.kafka.clients.producer.internals.BuiltInPartitioner.partitionForKey of Kafka 4.1.1 says
    expected = {b"BTCUSDT": 2, b"ETHUSDT": 1, b"SOLUSDT": 1, b"XRPUSDT": 0, b"BNBUSDT": 3}
    assert {message.key: partition for partition, message in records_of(kafka, topic, 4)} == expected


@pytest.mark.integration
def test_eight_megabytes_are_written_and_more_than_the_log_takes_is_an_error(kafka: str) -> None:
    topic = topic_with(kafka, 1)
    with TradeWriter(kafka, topic) as writer:
        writer.write(Message(b"BTCUSDT", bytes(8 * 1024**2), []))
    assert writer.acknowledged == 1
    with pytest.raises(EventLogError, match="larger than"), TradeWriter(kafka, topic) as writer:
        writer.write(Message(b"BTCUSDT", bytes(17 * 1024**2), []))


@pytest.mark.integration
def test_a_topic_that_does_not_exist_is_not_made_by_writing(kafka: str) -> None:
    with pytest.raises(TopicMissing):
        TradeWriter(kafka, f"typo-{uuid4().hex}")


@pytest.mark.integration
def test_waiting_makes_the_topic_with_the_partitions_asked_for(kafka: str) -> None:
    topic = f"writer-{uuid4().hex}"
    wait_for_topic(kafka, topic, 3, tell=pytest.fail)
    assert ensure_topic(kafka, topic, 1).partitions == (0, 1, 2)


def test_a_writer_without_a_broker_is_an_error(nowhere: str) -> None:
    with pytest.raises(EventLogUnreachable, match=nowhere):
        TradeWriter(nowhere, "trades")


def test_waiting_for_a_broker_is_said_once_and_ends_after_a_minute(nowhere: str) -> None:
    time_s = [0.0]
    told: list[str] = []

    def sleep(seconds: float) -> None:
        time_s[0] += seconds

    with pytest.raises(EventLogUnreachable, match="twofold kafka"):
        wait_for_topic(nowhere, "trades", 4, tell=told.append, now=lambda: time_s[0], sleep=sleep)
    assert 60.0 <= time_s[0] <= 61.0
    assert told == [f"Waiting up to 60 s for Kafka at {nowhere} …"]
