"""The engines give the same of a real capture and of millions of trades, with the driver sent less than they take."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from engine_pair import EnginePair, check_same, run, table

from twofold.event_log.topic import ensure_topic
from twofold.publication import Publication
from twofold.sources.faults import FaultShares
from twofold.sources.simulation import simulate_market

pytestmark = [pytest.mark.integration, pytest.mark.large, pytest.mark.timeout(1_500)]

TRADES = 5_000_000
A_CYCLE = 2_000_000
FAULTS = FaultShares(late=0.01, repeated=0.01, missing=0.001, broken=0.001, conflicting=0.001)
START_US = 1_723_161_600_000_000
SENT_TO_THE_DRIVER_BYTES = 16 * 1024**2


@pytest.fixture
def topic(kafka: str) -> str:
    name = f"large-{uuid4().hex}"
    ensure_topic(kafka, name, 4)
    return name


def send_millions(brokers: str, topic: str) -> None:
    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 50, "queue.buffering.max.messages": 500_000})
    market = simulate_market(
        rate=5_000.0, symbols=200, seed=7, start_us=START_US, shares=FAULTS, headers=[], count=TRADES
    )
    for number, (_, (key, value, _)) in enumerate(market):
        while True:
            try:
                producer.produce(topic, value, key)
                break
            except BufferError:
                producer.poll(0.1)
        if number % 1_000 == 0:
            producer.poll(0)
    assert producer.flush(60) == 0


def published(pair: EnginePair) -> Iterator[tuple[Publication, Publication]]:
    """Let both take in all there is, cycle by cycle, and compare whole tables after each."""
    polars, spark = pair.lake("polars"), pair.lake("spark")
    while True:
        cycle, same_cycle = pair.by_polars(polars), pair.by_spark(spark)
        before = cycle.parent.sequence
        intake = cycle.ingest(A_CYCLE)
        if not cycle.has_news(intake):
            return
        publication = cycle.publish(intake, cycle.fold(intake))
        same = run(same_cycle, A_CYCLE)
        assert publication.sequence == same.sequence == before + 1
        yield publication, same


def test_both_engines_make_the_same_tables_of_millions_of_trades(
    spark: Any,  # noqa: ANN401  # a Spark session
    kafka: str,
    topic: str,
    tmp_path: Path,
) -> None:
    send_millions(kafka, topic)
    pair = EnginePair(spark, kafka, topic, tmp_path)
    pairs = list(published(pair))
    publication, same = pairs[-1]
    check_same(pair.lake("polars"), publication, pair.lake("spark"), same)
    accounts = publication.accounts.values()
    assert sum(account.read for account in accounts) >= TRADES
    assert all(account.balanced and account.duplicates and account.dead_letters for account in accounts)
    raw = table(pair.lake("spark"), "raw", same)
    assert raw["value"].bin.size().sum() > SENT_TO_THE_DRIVER_BYTES, (
        "all of it would have fitted into the driver's results"
    )


@pytest.mark.skipif(
    not os.environ.get("TEST_CAPTURE"), reason="there is no capture: `make test-spark CAPTURE=FILE` compares one"
)
def test_both_engines_make_the_same_tables_of_a_real_capture(
    spark: Any,  # noqa: ANN401  # a Spark session
    kafka: str,
    topic: str,
    tmp_path: Path,
) -> None:
    settings = {
        "TWOFOLD_BOOTSTRAP_SERVERS": kafka,
        "TWOFOLD_TOPIC": topic,
        "TWOFOLD_DATA_FOLDER": str(tmp_path / "data"),
    }
    replay = [sys.executable, "-m", "twofold", "replay", os.environ["TEST_CAPTURE"], "--speed", "max"]
    subprocess.run(replay, env=os.environ | settings, check=True, capture_output=True)
    pair = EnginePair(spark, kafka, topic, tmp_path)
    for publication, same in published(pair):
        check_same(pair.lake("polars"), publication, pair.lake("spark"), same)
        assert sum(account.folded for account in publication.accounts.values()) > 1_000
