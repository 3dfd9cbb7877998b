"""`twofold simulate` against a real Kafka."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from uuid import uuid4

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from typer.testing import CliRunner

from twofold.cli.app import app

MAIN = "from twofold.cli.app import main; main()"


@pytest.fixture
def topic(kafka: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a topic that does not exist yet, to which the settings point."""
    name = f"simulate-{uuid4().hex}"
    monkeypatch.setenv("TWOFOLD_BOOTSTRAP_SERVERS", kafka)
    monkeypatch.setenv("TWOFOLD_TOPIC", name)
    monkeypatch.setenv("TWOFOLD_PARTITIONS", "2")
    return name


def records_of(brokers: str, topic: str) -> list[ConsumerRecord]:
    """Read a topic of two partitions to its end."""
    lanes = [TopicPartition(topic, partition) for partition in range(2)]
    with KafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="none", enable_auto_commit=False) as consumer:
        consumer.assign(lanes)
        for lane in lanes:
            consumer.seek(lane, 0)
        count = sum(consumer.end_offsets(lanes).values())
        found: list[ConsumerRecord] = []
        while len(found) < count:
            for records in consumer.poll(timeout_ms=1000).values():
                found += records
    return found


@pytest.mark.integration
def test_a_counted_market_arrives_whole_keyed_by_symbol_and_lives_now(kafka: str, topic: str) -> None:
    before_us = time.time_ns() // 1000
    result = CliRunner().invoke(app, ["simulate", "--rate", "5000", "--symbols", "7", "--seed", "3", "--count", "2000"])
    assert result.exit_code == 0, result.output
    assert "Simulated market of 7 symbols: 2,000 sent" in result.stderr

    records = records_of(kafka, topic)
    trades = [json.loads(record.value) for record in records]
    assert len({(trade["symbol"], trade["trade_id"]) for trade in trades}) == len(trades) == 2000
    assert [record.key.decode() for record in records] == [trade["symbol"] for trade in trades]
    assert {tuple(record.headers) for record in records} == {(("source", b"simulator"),)}
    assert all(before_us - 1000 <= trade["event_time_us"] <= time.time_ns() // 1000 for trade in trades)


@pytest.mark.integration
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_market_without_end_stops_on_a_signal_with_everything_sent(
    kafka: str, topic: str, number: signal.Signals
) -> None:
    command = [sys.executable, "-c", MAIN, "simulate", "--rate", "500", "--repeated", "0.1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    try:
        wait_for_records(kafka, topic, process)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, said
    sent = int(said.splitlines()[-1].split(": ")[1].split(" sent")[0].replace(",", ""))
    assert len(records_of(kafka, topic)) == sent > 0


def wait_for_records(brokers: str, topic: str, process: subprocess.Popen[str]) -> None:
    """Return once the topic exists and holds something."""
    lanes = [TopicPartition(topic, partition) for partition in range(2)]
    with KafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False, allow_auto_create_topics=False) as consumer:
        while process.poll() is None:
            if topic in consumer.topics() and sum(consumer.end_offsets(lanes).values()) > 0:
                return
            time.sleep(0.1)
    pytest.fail(f"the simulator ended by itself: {process.communicate()[1]}")
