"""Spark reads a Kafka that asks for TLS and a password, as Twofold's own reader does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from secured_kafka import Secured, secured_kafka
from small_market import trade_value

from twofold.event_log.reader import LogReader
from twofold.event_log.security import Security
from twofold.event_log.topic import ensure_topic
from twofold.lake import Lake
from twofold.lane import Positions
from twofold.publication import found_lake
from twofold.source import SHIPPED_SOURCES
from twofold.sources.message import Message
from twofold.sources.writer import TradeWriter
from twofold.views import VIEWS

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

TOPIC = "trades"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured_kafka(tmp_path_factory.mktemp("kafka")) as kafka:
        ensure_topic(kafka.secure, TOPIC, 1, kafka.security)
        with TradeWriter(kafka.secure, TOPIC, kafka.security) as writer:
            for number in range(5):
                writer.write(Message(b"BTCUSDT", trade_value(f"10:00:0{number}", number + 1), []))
        yield kafka


def cycle(spark: Any, kafka: Secured, lake: Lake, security: Security) -> Any:  # noqa: ANN401  # Spark's, slow to import
    """A cycle whose records Spark reads with these rights."""
    from batch_layer.spark.cycle import SparkCycle, Topic  # noqa: PLC0415  # slow, and in vain without Java

    def open_reader(start: Positions) -> LogReader:
        return LogReader(kafka.secure, TOPIC, start, security=kafka.security)

    found_lake(lake)
    topic = Topic(kafka.secure, TOPIC, security)
    return SparkCycle(spark, topic, lake, open_reader, VIEWS, SHIPPED_SOURCES, "simulator")


def test_a_cycle_takes_in_what_is_there(
    spark: Any,  # noqa: ANN401  # a Spark session
    kafka: Secured,
    tmp_path: Path,
) -> None:
    lake = Lake(str(tmp_path / "lake"))
    at_work = cycle(spark, kafka, lake, kafka.security)
    intake = at_work.ingest(1_000_000)
    publication = at_work.publish(intake, at_work.fold(intake))
    assert list(publication.cut.values()) == [5]
    assert lake.scan("trades", publication.tables["trades"]).collect().height == 5
