"""The engines give the same: whole tables and publications, from the same topic of a real Kafka."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import deltalake
import polars as pl
import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic
from laws.market import HOLE_AGE_S, NOT_TRADES, SOURCES, WHOLLY, Market, Sending, steady_trades
from laws.parts import everything_merged_soon

from batch_layer.cycle import BatchCycle
from batch_layer.engine import Cycle
from twofold.errors import Superseded
from twofold.event_log.reader import LogReader
from twofold.lake import Lake
from twofold.lane import Lane, Positions
from twofold.publication import GENESIS, Publication, Publications
from twofold.views import VIEWS

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

NOON = datetime(2024, 8, 9, 12, tzinfo=UTC)
PARTITIONS = 3
KEPT_AS_SENT = {
    "message.timestamp.type": "CreateTime",
    "message.timestamp.before.max.ms": str(2**62),
    "retention.ms": "-1",
}


class Engines:
    """A market whose records go to a topic with the times of their sending, and cycles over it by either engine."""

    def __init__(self, spark: Any, brokers: str, folder: Path) -> None:  # noqa: ANN401  # a Spark session
        self.spark = spark
        self.brokers = brokers
        self.topic = f"engines-{uuid4().hex}"
        self.market = Market()
        self._folder = folder
        self._sent: dict[str, int] = {}
        with closing(KafkaAdminClient(bootstrap_servers=brokers)) as client:
            client.create_topics([NewTopic(self.topic, PARTITIONS, 1, topic_configs=KEPT_AS_SENT)])

    def lake(self, name: str) -> Lake:
        return Lake(str(self._folder / name))

    def send(self, *sendings: Sending) -> None:
        self.market.send(sendings)
        with closing(KafkaProducer(bootstrap_servers=self.brokers, acks="all")) as producer:
            for record in self.market.log.records:
                if record.offset >= self._sent.get(record.lane, 0):
                    producer.send(
                        self.topic,
                        record.value,
                        b"" if record.value is None else record.key,  # the client sends none that has neither
                        list(record.headers),
                        Lane.parse(record.lane).partition,
                        record.timestamp_ms,
                    )
            producer.flush()
        self._sent = self.market.log.end_offsets()

    def by_polars(self, lake: Lake) -> Cycle:
        return BatchCycle(lake, self._open_reader, VIEWS, SOURCES, "simulator", HOLE_AGE_S, lambda: NOON)

    def by_spark(self, lake: Lake) -> Cycle:
        from batch_layer.spark.cycle import SparkCycle, Topic  # noqa: PLC0415  # slow, and in vain without Java

        topic = Topic(self.brokers, self.topic)
        rest = VIEWS, SOURCES, "simulator", HOLE_AGE_S, lambda: NOON
        return SparkCycle(self.spark, topic, lake, self._open_reader, *rest)

    def _open_reader(self, start: Positions) -> LogReader:
        return LogReader(self.brokers, self.topic, start)


@pytest.fixture
def engines(spark: Any, kafka: str, tmp_path: Path) -> Engines:  # noqa: ANN401  # a Spark session
    return Engines(spark, kafka, tmp_path)


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
        assert rows.equals(others), f"{name}: {rows.join(others, on=rows.columns[0], how='full')}"
    assert replace(publication, tables={}) == replace(same, tables={})


def troubles(cycle: int) -> list[Sending]:
    """Records of every fate: late, sent again in other lanes, with another body, broken, unknown, and ids left out."""
    first = 100 * cycle
    return [
        *(Sending(lane=lane, gap_ms=700, trade_id=first + lane, price="61837.63", size="0.02") for lane in range(12)),
        *(Sending(lane=lane + 1, gap_ms=0, trade_id=first + lane) for lane in range(4)),
        *(Sending(lane=lane, gap_ms=0, trade_id=max(0, first - 100) + lane) for lane in range(3)),
        Sending(lane=0, gap_ms=0, trade_id=first + 5, otherwise="price"),
        Sending(lane=1, gap_ms=0, trade_id=max(0, first - 100) + 1, otherwise=WHOLLY, price="3"),
        Sending(lane=2, gap_ms=0, trade_id=first + 30, broken=True),
        Sending(lane=2, gap_ms=900, trade_id=first + 40, late_us=200_000_000),
        Sending(lane=0, gap_ms=0, trade_id=2**63 - 1 - cycle, price="9999999999.99999999", size="99.99999999"),
        Sending(lane=0, gap_ms=0, symbol="ETHUSDT", side="sell", trade_id=7 - cycle, price="0.00000001"),
        *(Sending(lane=1, gap_ms=31_000, source="binance-spot", trade_id=5 * cycle + number) for number in range(4)),
        Sending(lane=1, gap_ms=0, source="binance-spot", trade_id=5 * cycle + 4, late_us=300_000_000),
        *(Sending(lane=2, gap_ms=0, source="keyed", trade_id=cycle + number // 2) for number in range(6)),
        *(Sending(lane=2, gap_ms=0, not_a_trade=place) for place in range(len(NOT_TRADES))),
    ]


def test_both_engines_make_the_same_tables_and_publications_of_records_of_every_fate(engines: Engines) -> None:
    polars, spark = engines.lake("polars"), engines.lake("spark")
    with everything_merged_soon():
        for cycle in range(3):
            engines.send(*steady_trades(4), *troubles(cycle))
            publication, same = run(engines.by_polars(polars)), run(engines.by_spark(spark))
            check_same(polars, publication, spark, same)
    assert sum(account.dead_letters for account in same.accounts.values()) > 3 * len(NOT_TRADES)
    assert all(account.balanced and account.duplicates and account.folded for account in same.accounts.values())
    assert table(spark, "views/bars", same)["revisions"].max() > 0
    for name in same.tables:
        protocol = spark.open(name).protocol()
        assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)


def test_engines_take_turns_on_one_lake_cycle_by_cycle(engines: Engines) -> None:
    polars, mixed = engines.lake("polars"), engines.lake("mixed")
    turns = [engines.by_spark, engines.by_polars, engines.by_spark]
    for cycle, (engine, other) in enumerate(zip(turns, [*turns[1:], engines.by_polars], strict=True)):
        engines.send(*troubles(cycle))
        other(mixed).ingest(7)  # and is killed: the other engine goes on
        publication, same = run(engines.by_polars(polars)), run(engine(mixed))
        check_same(polars, publication, mixed, same)


def test_a_cycle_by_spark_stops_where_it_is_told_to_and_without_records_writes_nothing(engines: Engines) -> None:
    lake = engines.lake("spark")
    engines.send(*steady_trades(30))
    first = run(engines.by_spark(lake), max_records=9)
    assert first.cut.keys() == first.accounts.keys()
    second = run(engines.by_spark(lake))
    assert sum(account.read for account in second.accounts.values()) == sum(second.cut.values())
    quiet = engines.by_spark(lake)
    intake = quiet.ingest(1_000)
    assert (intake.records, quiet.has_news(intake)) == (0, False)
    assert quiet.publish(intake, quiet.fold(intake)).tables == second.tables


def test_a_commit_by_spark_that_did_not_follow_its_parent_stops_the_cycle(engines: Engines) -> None:
    lake = engines.lake("spark")
    engines.send(*steady_trades(4))
    cycle = engines.by_spark(lake)
    intake = cycle.ingest(1_000)
    append = cycle._spark_writer

    def overtaken(spec: Any) -> Any:  # noqa: ANN401  # as the method
        writer = append(spec)
        if spec.name == "trades":
            deltalake.write_deltalake(lake.address("trades"), spec.schema.to_frame(), mode="append")
        return writer

    cycle._spark_writer = overtaken
    with pytest.raises(Superseded, match="as version 2"):
        cycle.fold(intake)
    assert Publications(lake).newest() == GENESIS
    assert run(engines.by_polars(lake)).sequence == 1
