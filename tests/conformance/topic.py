"""The topic of one seed, as its operator and its producers see it: not by the product's reader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from oracle import OracleRecord

from conformance.traffic import Message
from twofold.event_log.topic import ensure_topic

_TIMEOUT_MS = 60_000


class Topic:
    """One topic; what is read of it is kept by whoever reads, so that retention takes nothing from them."""

    def __init__(self, brokers: str, name: str, partitions: int) -> None:
        self._brokers = brokers
        self._name = name
        self._id = ensure_topic(brokers, name, partitions).topic_id
        self._next = dict.fromkeys(range(partitions), 0)

    @property
    def lanes(self) -> list[str]:
        """The lanes by partition."""
        return [self._lane(partition) for partition in self._next]

    @contextmanager
    def producing(self, messages: Iterable[Message]) -> Iterator[None]:
        """Hand records over to a producer, which tries for as long as the context lasts, and longer if need be.

        What it gave up in the end is in the log or not; whoever reads the log knows.
        """
        options = {"delivery_timeout_ms": _TIMEOUT_MS, "max_block_ms": _TIMEOUT_MS, "enable_idempotence": False}
        with closing(KafkaProducer(bootstrap_servers=self._brokers, linger_ms=0, **options)) as producer:
            for message in messages:
                headers = list(message.headers)
                producer.send(self._name, message.value, message.key, headers, partition=message.partition)
            yield
            producer.flush(timeout=_TIMEOUT_MS / 1000)

    def produce(self, messages: Iterable[Message]) -> None:
        """Produce records, and wait until the broker has them."""
        with self.producing(messages):
            pass

    def read_on(self) -> list[OracleRecord]:
        """All records that have come since the last call."""
        records: list[OracleRecord] = []
        with self._consumer() as consumer:
            lanes = self._partitions()
            consumer.assign(lanes)
            begins, ends = consumer.beginning_offsets(lanes), consumer.end_offsets(lanes)
            for lane in lanes:
                consumer.seek(lane, max(self._next[lane.partition], begins[lane]))
            while any(consumer.position(lane) < end for lane, end in ends.items()):
                for lane, found in consumer.poll(timeout_ms=500).items():
                    records += [
                        OracleRecord(
                            self._lane(lane.partition), at.offset, at.timestamp, at.key, at.value, tuple(at.headers)
                        )
                        for at in found
                    ]
        for record in records:
            self._next[int(record.lane.rpartition("/")[2])] = record.offset + 1
        return records

    def ends(self) -> dict[str, int]:
        """The offset after the last record that was read, by lane."""
        return {self._lane(partition): offset for partition, offset in self._next.items()}

    def beginnings(self) -> dict[str, int]:
        """The first offset that can be read now, by lane: what retention took lies before it."""
        with self._consumer() as consumer:
            found = consumer.beginning_offsets(self._partitions())
        return {self._lane(at.partition): offset for at, offset in found.items()}

    def trim(self, lane: str, offset: int) -> None:
        """Let retention take everything before an offset."""
        partition = TopicPartition(self._name, self.lanes.index(lane))
        with closing(KafkaAdminClient(bootstrap_servers=self._brokers)) as admin:
            admin.delete_records({partition: offset})

    def add_partition(self) -> None:
        """Add one partition."""
        count = len(self._next) + 1
        with closing(KafkaAdminClient(bootstrap_servers=self._brokers)) as admin:
            admin.create_partitions({self._name: count})
        self._next[count - 1] = 0

    @contextmanager
    def _consumer(self) -> Iterator[KafkaConsumer]:
        options = {"auto_offset_reset": "none", "enable_auto_commit": False, "max_poll_records": 5_000}
        with closing(KafkaConsumer(bootstrap_servers=self._brokers, **options)) as consumer:
            yield consumer

    def _partitions(self) -> list[TopicPartition]:
        return [TopicPartition(self._name, partition) for partition in self._next]

    def _lane(self, partition: int) -> str:
        return f"{self._id}/{partition}"
