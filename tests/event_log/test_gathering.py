import uuid
from contextlib import closing

import pytest
from kafka import KafkaProducer
from kafka.consumer import fetcher

from twofold.event_log.gathering import GATHER_MS, IDLE_MS
from twofold.event_log.reader import LogReader
from twofold.event_log.topic import ensure_topic

pytestmark = pytest.mark.integration


def test_fetches_gather_while_records_come_and_wait_for_the_first_while_none_come(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[tuple[int, bool]] = []

    made = fetcher.FetchRequest

    def noted(*, max_wait_ms: int, min_bytes: int, **others: object) -> object:
        waits.append((max_wait_ms, min_bytes > 1))
        return made(max_wait_ms=max_wait_ms, min_bytes=min_bytes, **others)

    noted.min_version_for_isolation_level = made.min_version_for_isolation_level
    monkeypatch.setattr(fetcher, "FetchRequest", noted)
    topic = ensure_topic(kafka, f"gather-{uuid.uuid4()}", 1)
    with closing(KafkaProducer(bootstrap_servers=kafka)) as producer, LogReader(kafka, topic.name, {}) as reader:
        assert reader.poll(50, 100) == []
        reader.poll(50, 100)
        assert set(waits) == {(IDLE_MS, False)}
        producer.send(topic.name, b"one", partition=0).get(30)
        while not reader.poll(1_000, 100):
            pass
        waits.clear()
        reader.poll(GATHER_MS * 5, 100)
        reader.poll(IDLE_MS * 5, 100)
    assert (GATHER_MS, True) in waits
    assert waits[-1] == (IDLE_MS, False)
