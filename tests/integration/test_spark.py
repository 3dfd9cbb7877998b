"""Spark with Delta reads the lake that batch cycles made, and sees what Polars and delta-rs see."""

from typing import Any

import orjson
import polars as pl
import pytest
from small_market import LANES, SmallMarket

from batch_layer.cycle import BatchCycle
from twofold.publication import Publication, Publications
from twofold.source import SHIPPED_SOURCES
from twofold.views import VIEWS

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

SPARK_TYPES = {pl.String: "string", pl.Int64: "bigint", pl.Datetime: "timestamp", pl.Date: "date"}


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> SmallMarket:
    """Three publications, a checkpoint, and heads that a fourth cycle moved and never published."""
    market = SmallMarket(tmp_path_factory.mktemp("market"))
    for number in range(3):
        for minute in range(3):
            market.trade(
                f"10:0{minute}:0{number}.000001", price=f"{100 + minute}.0000000{number + 1}", size="0.00000003"
            )
            market.trade(f"23:5{minute}:00", symbol="ETHUSDT", price="9999999999.99999999", lane=1, side="sell")
        market.poison()
        market.cycle()
    for table in ("publications", "trades"):
        market.lake.open(table).create_checkpoint()
    market.trade("10:09:00", symbol="NEVERPUBLISHED")
    unfinished = BatchCycle(market.lake, market.log.open_reader, VIEWS, SHIPPED_SOURCES, "simulator")
    unfinished.fold(unfinished.ingest(1_000_000))
    return market


@pytest.fixture(scope="module")
def newest(market: SmallMarket) -> Publication:
    return Publications(market.lake).newest()


def by_spark(spark: Any, market: SmallMarket, table: str, version: int | None = None) -> Any:  # noqa: ANN401  # a Spark frame
    reader = spark.read.format("delta")
    if version is not None:
        reader = reader.option("versionAsOf", version)
    return reader.load(market.lake.address(table))


def rows_by_spark(frame: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401  # a Spark frame
    """Rows, sorted; times as microseconds, which say the same in every time zone."""
    times = {name for name, kind in frame.dtypes if kind == "timestamp"}
    names = [f"unix_micros(`{name}`)" if name in times else f"`{name}`" for name in frame.columns]
    return sorted(tuple(row) for row in frame.selectExpr(*names).collect())


def rows_by_polars(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    return sorted(frame.with_columns(pl.col(pl.Datetime).dt.epoch("us")).rows())


def spark_types(schema: pl.Schema) -> list[tuple[str, str]]:
    return [
        (name, f"decimal({kind.precision},{kind.scale})" if isinstance(kind, pl.Decimal) else SPARK_TYPES[type(kind)])
        for name, kind in schema.items()
    ]


def test_spark_finds_the_newest_publication_with_its_cut(spark: Any, market: SmallMarket, newest: Publication) -> None:  # noqa: ANN401  # a Spark session
    (row,) = by_spark(spark, market, "publications").orderBy("sequence", ascending=False).limit(1).collect()
    assert row["sequence"] == newest.sequence == 3
    assert orjson.loads(row["cut"]) == newest.cut == {LANES[0]: 12, LANES[1]: 9}
    found = row.asDict()
    expected = newest.row()
    for name in expected.keys() - {"published_at"}:
        assert found[name] == expected[name]


@pytest.mark.parametrize("table", ["trades", "views/bars"])
def test_spark_reads_the_published_rows_and_types(spark: Any, market: SmallMarket, table: str) -> None:  # noqa: ANN401  # a Spark session
    (row,) = by_spark(spark, market, "publications").orderBy("sequence", ascending=False).limit(1).collect()
    version = orjson.loads(row["tables"])[table]
    assert version < market.lake.open(table).version(), "the head is beyond what is published"
    by_us = market.lake.scan(table, version).collect()
    by_them = by_spark(spark, market, table, version)
    assert by_them.dtypes == spark_types(by_us.schema)
    rows = rows_by_spark(by_them)
    assert rows == rows_by_polars(by_us)
    assert len(rows) == 18
