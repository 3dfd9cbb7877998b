"""Both engines over one topic of a real Kafka, and what it means that their lakes are the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from laws.market import HOLE_AGE_S, SOURCES

from batch_layer.cycle import BatchCycle
from batch_layer.engine import Cycle
from twofold.event_log.reader import LogReader
from twofold.lake import Lake
from twofold.lane import Positions
from twofold.publication import Publication
from twofold.views import VIEWS

NOON = datetime(2024, 8, 9, 12, tzinfo=UTC)

ByEngine = Callable[[Lake], Cycle]


class EnginePair:
    """Cycles by either engine.

    Args:
        spark: a Spark session.
        brokers: where the topic is.
        topic: its name.
        folder: where lakes are.
        default_source: the source of records that name none.
    """

    def __init__(self, spark: Any, brokers: str, topic: str, folder: Path, default_source: str = "simulator") -> None:  # noqa: ANN401  # a Spark session
        self.spark = spark
        self.brokers = brokers
        self.topic = topic
        self._folder = folder
        self._default_source = default_source

    def lake(self, name: str) -> Lake:
        return Lake(str(self._folder / name))

    def by_polars(self, lake: Lake) -> Cycle:
        return BatchCycle(lake, self._open_reader, VIEWS, SOURCES, self._default_source, HOLE_AGE_S, lambda: NOON)

    def by_spark(self, lake: Lake) -> Cycle:
        from batch_layer.spark.cycle import SparkCycle, Topic  # noqa: PLC0415  # slow, and in vain without Java

        topic = Topic(self.brokers, self.topic)
        rest = VIEWS, SOURCES, self._default_source, HOLE_AGE_S, lambda: NOON
        return SparkCycle(self.spark, topic, lake, self._open_reader, *rest)

    def _open_reader(self, start: Positions) -> LogReader:
        return LogReader(self.brokers, self.topic, start)


def run(cycle: Cycle, max_records: int = 1_000_000) -> Publication:
    intake = cycle.ingest(max_records)
    return cycle.publish(intake, cycle.fold(intake))


def table(lake: Lake, name: str, publication: Publication) -> pl.DataFrame:
    rows = lake.scan(name, publication.tables[name]).collect()
    if "headers" in rows.columns:  # no headers are null or an empty list, as those around it in their batch have it
        rows = rows.with_columns(pl.when(pl.col("headers").list.len() > 0).then("headers").alias("headers"))
    return rows.sort([name for name in rows.columns if name != "headers"])


def check_same(lake: Lake, publication: Publication, other: Lake, same: Publication) -> None:
    """Every table is equal row by row and type by type, and so is all else that is public."""
    assert publication.tables.keys() == same.tables.keys()
    for name in publication.tables:
        rows, others = table(lake, name, publication), table(other, name, same)
        assert rows.schema == others.schema
        assert rows.equals(others), f"{name}: {rows.join(others, on=rows.columns[0], how='full').head(20)}"
    assert replace(publication, tables={}) == replace(same, tables={})
