"""`twofold replay` against a real Kafka, and what it refuses before it talks to one."""

from __future__ import annotations

import gzip
from pathlib import Path
from uuid import uuid4

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from typer.testing import CliRunner

from twofold.cli.app import app
from twofold.cli.replay import replay
from twofold.errors import CaptureError, SettingsError, UnknownName

START_NS = 1_723_161_254_000_000_000


def frame(symbol: str, number: int) -> bytes:
    return (
        b'{"stream":"x@trade","data":{"e":"trade","E":1723161255343,"s":"%s","t":%d,"p":"61837.63000000",'
        b'"q":"0.02000000","T":1723161255342,"m":true,"M":true}}'
    ) % (symbol.encode(), number)


@pytest.fixture
def topic(kafka: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a topic that does not exist yet, to which the settings point."""
    name = f"replay-{uuid4().hex}"
    monkeypatch.setenv("TWOFOLD_BOOTSTRAP_SERVERS", kafka)
    monkeypatch.setenv("TWOFOLD_TOPIC", name)
    monkeypatch.setenv("TWOFOLD_PARTITIONS", "1")
    return name


def records_of(brokers: str, topic: str, count: int) -> list[ConsumerRecord]:
    """Read a topic of one partition, and see that it holds `count` records."""
    lane = TopicPartition(topic, 0)
    with KafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="none", enable_auto_commit=False) as consumer:
        consumer.assign([lane])
        consumer.seek(lane, 0)
        assert consumer.end_offsets([lane]) == {lane: count}
        found: list[ConsumerRecord] = []
        while len(found) < count:
            found += consumer.poll(timeout_ms=1000).get(lane, [])
    return found


@pytest.mark.integration
def test_every_frame_of_a_capture_is_sent_as_it_came_with_key_and_headers(
    kafka: str, topic: str, tmp_path: Path
) -> None:
    frames = [frame("BTCUSDT" if number % 3 else "ETHUSDT", number) for number in range(3000)]
    frames[17] = b'{"broken'
    file = tmp_path / "capture.txt.gz"
    file.write_bytes(
        gzip.compress(b"".join(b"%d %s\n" % (START_NS + number * 1999, f) for number, f in enumerate(frames)))
    )
    result = CliRunner().invoke(app, ["replay", str(file), "--speed", "max"])
    assert result.exit_code == 0, result.output
    assert "3,000 sent" in result.stderr

    records = records_of(kafka, topic, 3000)
    assert [record.value for record in records] == frames
    assert [record.key for record in records[15:19]] == [b"ETHUSDT", b"BTCUSDT", None, b"ETHUSDT"]
    assert list(records[5].headers) == [("source", b"binance-spot"), ("collected_us", b"1723161254000009")]


@pytest.mark.integration
def test_canonical_ndjson_is_sent_as_the_default_source(kafka: str, topic: str, tmp_path: Path) -> None:
    line = b'{"symbol":"BTCUSDT","trade_id":1,"price":"1","size":"2","side":"buy","event_time_us":1723161255342000}'
    file = tmp_path / "trades.ndjson"
    file.write_bytes(line + b"\n")
    assert CliRunner().invoke(app, ["replay", str(file), "--speed", "1000"]).exit_code == 0
    (record,) = records_of(kafka, topic, 1)
    assert (record.key, record.value, list(record.headers)) == (b"BTCUSDT", line, [("source", b"simulator")])


def test_what_is_wrong_with_the_call_is_said_before_a_broker_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "capture.txt"
    file.write_bytes(b"%d %s\n" % (START_NS, frame("BTCUSDT", 1)))
    with pytest.raises(CaptureError, match="There is no file"):
        replay(tmp_path / "nothing")
    with pytest.raises(SettingsError, match="Speed"):
        replay(file, speed="fast")
    with pytest.raises(UnknownName, match="binance-spot"):
        replay(file, source="binance")
    with pytest.raises(CaptureError, match="canonical"):
        replay(file, source="simulator")
