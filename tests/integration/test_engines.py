"""The engines give the same: whole tables and publications, from the same topic of a real Kafka."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import deltalake
import pytest
from engine_pair import NOON, ByEngine, EnginePair, check_same, run, table
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic
from laws.commit_points import Crash, Moment, at_commit
from laws.market import NOT_TRADES, WHOLLY, Market, Sending, steady_trades
from laws.parts import everything_merged_soon

from batch_layer.cycle import BatchCycle
from batch_layer.quality.gate import Gate
from batch_layer.releasing import exclude, failing_ones
from twofold.errors import CycleHeld, Superseded
from twofold.hold import Holds
from twofold.lake import Lake
from twofold.lane import Lane
from twofold.publication import GENESIS, Publications

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1_500)]

PARTITIONS = 3
VIEW_TABLES = ("views/bars", "views/taker_flow")
KEPT_AS_SENT = {
    "message.timestamp.type": "CreateTime",
    "message.timestamp.before.max.ms": str(2**62),
    "retention.ms": "-1",
}


class Engines(EnginePair):
    """A market whose records go to a topic with the times of their sending, and cycles over it by either engine."""

    def __init__(self, spark: Any, brokers: str, folder: Path) -> None:  # noqa: ANN401  # a Spark session
        super().__init__(spark, brokers, f"engines-{uuid4().hex}", folder)
        self.market = Market()
        self._sent: dict[str, int] = {}
        with closing(KafkaAdminClient(bootstrap_servers=brokers)) as client:
            client.create_topics([NewTopic(self.topic, PARTITIONS, 1, topic_configs=KEPT_AS_SENT)])

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


@pytest.fixture
def engines(spark: Any, kafka: str, tmp_path: Path) -> Engines:  # noqa: ANN401  # a Spark session
    return Engines(spark, kafka, tmp_path)


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


@contextmanager
def dying(moment: Moment, table_name: str) -> Iterator[None]:
    """Die right before or right after a commit to a table, whoever makes it."""
    from batch_layer.spark.table import SparkTableWriter  # noqa: PLC0415  # slow, and in vain without Java

    real = SparkTableWriter._commit

    def commit(writer: Any, *rest: Any) -> None:  # noqa: ANN401  # as the method
        is_here = writer.spec.name == table_name
        if is_here and moment == "before":
            raise Crash(table_name)
        real(writer, *rest)
        if is_here:
            raise Crash(table_name)

    def die(_: str) -> None:
        raise Crash(table_name)

    with patch.object(SparkTableWriter, "_commit", commit), at_commit(moment, table_name, die):
        yield


@pytest.mark.large
def test_a_cycle_by_spark_that_dies_at_any_commit_is_gone_on_from_by_either_engine(engines: Engines) -> None:
    polars, mixed = engines.lake("polars"), engines.lake("mixed")
    engines.send(*steady_trades(3), *troubles(0))
    run(engines.by_polars(polars))
    same = run(engines.by_polars(mixed))
    died: list[str] = []
    others: list[ByEngine] = [engines.by_polars, engines.by_spark]
    for turn, name in enumerate([*same.tables, "publications"], 1):
        engines.send(*troubles(turn))
        moments: tuple[Moment, ...] = ("after", "before") if name != "publications" else ("before",)
        for moment in moments:
            try:
                with dying(moment, name):
                    run(engines.by_spark(mixed))
            except Crash as crash:
                died += [f"{moment} {crash}"]
        publication, same = run(engines.by_polars(polars)), run(others[turn % 2](mixed))
        check_same(polars, publication, mixed, same)
    expected = {
        f"{moment} {name}" for moment in ("before", "after") for name in ("raw", "ledger", "trades", *VIEW_TABLES)
    }
    assert expected | {"before publications"} <= set(died)


def test_either_engine_holds_a_poisoned_cycle_and_goes_on_from_it_with_what_was_excluded(engines: Engines) -> None:
    """The records are taken up by Polars; the exclusions reach beyond the hold, so that Spark applies them too."""
    good = [Sending(lane=lane % 3, gap_ms=700, trade_id=lane, price="3") for lane in range(9)]
    bad = [Sending(lane=lane % 3, gap_ms=700, trade_id=20 + lane, price="300") for lane in range(9)]
    more = [Sending(lane=lane % 3, gap_ms=700, trade_id=40 + lane, price="3") for lane in range(9)]
    lakes = {"polars": engines.lake("polars"), "spark": engines.lake("spark")}
    published = {}
    by_engine: dict[str, ByEngine] = {"polars": engines.by_polars, "spark": engines.by_spark}

    def gated(name: str) -> BatchCycle:
        cycle = by_engine[name](lakes[name])
        assert isinstance(cycle, BatchCycle)
        cycle._gate = Gate(clock=lambda: NOON)
        return cycle

    def by_polars(lake: Lake) -> BatchCycle:
        cycle = engines.by_polars(lake)
        assert isinstance(cycle, BatchCycle)
        cycle._gate = Gate(clock=lambda: NOON)
        return cycle

    for sent in (good, bad):
        engines.send(*sent)
        for name in by_engine:
            if sent is good:
                run(gated(name))
            else:
                with pytest.raises(CycleHeld, match="9 rows have a price"):
                    run(gated(name))
                with pytest.raises(CycleHeld, match="waits"):
                    run(gated(name))
    engines.send(*more)
    for name, lake in lakes.items():
        (hold,) = Holds(lake).all()
        wanted = [replace(each, next_offset=each.next_offset + 1) for each in failing_ones(hold, "")]
        exclude(lake, partial(by_polars, lake), 1, wanted)
        published[name] = run(gated(name))
    assert sum(account.excluded for account in published["spark"].accounts.values()) == 12
    check_same(lakes["spark"], published["spark"], lakes["polars"], published["polars"])
