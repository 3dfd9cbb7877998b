"""The lake as Spark sees it: the tables that Twofold writes are plain Delta tables that anyone may read."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from delta import configure_spark_with_delta_pip
from pyspark.sql import SparkSession
from small_market import LANES, SmallMarket

from twofold.publication import Publication, Publications
from twofold.tables import TRADES, view_table
from twofold.views import VIEWS

JAVA_VERSIONS = (17, 21)

TYPES = {
    pl.String: "string",
    pl.Int64: "bigint",
    pl.Date: "date",
    pl.Datetime("us", "UTC"): "timestamp",
    pl.Decimal(18, 8): "decimal(18,8)",
    pl.Decimal(38, 8): "decimal(38,8)",
    pl.Decimal(38, 16): "decimal(38,16)",
}


def java_version() -> int | None:
    """The major version of the Java on the path, or of JAVA_HOME; None without one."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if java is None or not Path(java).exists():
        return None
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else None


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A local Spark session with Delta Lake."""
    if java_version() not in JAVA_VERSIONS:
        pytest.skip(
            f"Spark needs Java {' or '.join(map(str, JAVA_VERSIONS))}, and `java -version` says {java_version()}. "
            "Install one, such as Debian's openjdk-17-jre-headless, or point JAVA_HOME at it."
        )
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    builder = (
        SparkSession.builder.master("local[2]")
        .appName("twofold-tests")
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.databricks.delta.snapshotPartitions", "2")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("warehouse")))
    )
    session = configure_spark_with_delta_pip(builder).getOrCreate()
    yield session
    session.stop()


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> SmallMarket:
    """A lake that three batch cycles made, with a late trade, a repeated one and a record that is none."""
    made = SmallMarket(tmp_path_factory.mktemp("market"))
    made.trade("10:00:01", price="61837.63", size="0.02", side="sell")
    again = made.trade("10:00:02", price="9999999999.99999999", size="0.00000001", lane=1)
    made.cycle()
    made.trade("10:00:02", price="9999999999.99999999", size="0.00000001", lane=0, trade_id=again)
    made.poison()
    made.trade("10:01:00.123456", symbol="ETHUSDT", price="0.00000001", size="7")
    made.trade("10:05:00")
    made.cycle()
    made.trade("10:00:30", price="3", size="0.5", arrives="10:06:00")
    made.cycle()
    return made


def published(market: SmallMarket, table: str, publication: Publication) -> pl.DataFrame:
    """A table at the version that a publication names, as delta-rs and Polars read it."""
    return market.lake.scan(table, publication.tables[table]).collect()


def newest(spark: SparkSession, market: SmallMarket) -> dict[str, Any]:
    """The newest publication, as Spark reads it."""
    rows = spark.read.format("delta").load(market.lake.address("publications")).orderBy("sequence").collect()
    return dict(rows[-1].asDict())


def test_spark_reads_the_newest_publication_and_its_cut(spark: SparkSession, market: SmallMarket) -> None:
    row = newest(spark, market)
    publication = Publication.from_row(row)
    assert publication.sequence == 3
    assert publication.cut == {lane: end for lane, end in market.log.end_offsets().items() if lane in LANES}
    assert publication.cut == publication_by_delta_rs(market).cut
    assert publication.tables == publication_by_delta_rs(market).tables


@pytest.mark.parametrize("table", [TRADES.name, view_table(VIEWS["bars"]).name])
def test_spark_reads_the_same_rows_and_types(spark: SparkSession, market: SmallMarket, table: str) -> None:
    publication = Publication.from_row(newest(spark, market))
    ours = published(market, table, publication)
    theirs = (
        spark.read.format("delta").option("versionAsOf", publication.tables[table]).load(market.lake.address(table))
    )
    types = {field.name: field.dataType.simpleString() for field in theirs.schema.fields}
    assert types == {name: TYPES[dtype] for name, dtype in ours.schema.items()}
    epoch = [name for name, dtype in ours.schema.items() if isinstance(dtype, pl.Datetime)]
    shown = theirs.selectExpr(*[f"unix_micros({n}) AS {n}" if n in epoch else n for n in ours.columns])
    in_spark = sorted((tuple(row) for row in shown.collect()), key=repr)
    in_polars = ours.with_columns(pl.col(name).dt.epoch("us") for name in epoch)
    assert in_spark == sorted(in_polars.rows(), key=repr)
    assert len(in_spark) > 0


def publication_by_delta_rs(market: SmallMarket) -> Publication:
    """The newest publication, as delta-rs reads it."""
    return Publications(market.lake).newest()
