"""The event log, read back: every record as it lies in Kafka."""

from __future__ import annotations

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from oracle import OracleRecord


def read_back(brokers: str, topic: str) -> list[OracleRecord]:
    """All records of a topic from the beginning to its end now, lanes named by the topic's id and the partition."""
    admin = KafkaAdminClient(bootstrap_servers=brokers)
    (described,) = admin.describe_topics([topic])
    admin.close()
    consumer = KafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="none", max_poll_records=5_000)
    try:
        lanes = [TopicPartition(topic, part["partition_index"]) for part in described["partitions"]]
        consumer.assign(lanes)
        consumer.seek_to_beginning(*lanes)
        ends = consumer.end_offsets(lanes)
        records: list[OracleRecord] = []
        while any(consumer.position(lane) < end for lane, end in ends.items()):
            for lane, found in consumer.poll(timeout_ms=500).items():
                name = f"{described['topic_id']}/{lane.partition}"
                records += [
                    OracleRecord(name, each.offset, each.timestamp, each.key, each.value, tuple(each.headers))
                    for each in found
                ]
        return records
    finally:
        consumer.close()
