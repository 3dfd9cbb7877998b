"""Cycles by a Spark Connect server: the same tables as by Polars, and a server that cannot be used is told of."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from engine_pair import table
from eventually import eventually
from kafka import KafkaProducer
from small_market import trade_value

from batch_layer.engine import ENGINES
from twofold.errors import EngineMissing
from twofold.event_log.topic import ensure_topic
from twofold.lake import Lake
from twofold.port import free_port, listens
from twofold.publication import Publications

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"


@contextmanager
def connect_server(folder: Path, *, with_delta: bool) -> Iterator[str]:
    """The address of a server on this machine."""
    try:
        from batch_layer.spark.java import java_home  # noqa: PLC0415  # slow, and in vain without Java

        home = java_home()
    except EngineMissing as missing:
        pytest.skip(str(missing))
    import pyspark  # noqa: PLC0415  # likewise
    from delta import configure_spark_with_delta_pip  # noqa: PLC0415  # likewise
    from pyspark.sql import SparkSession  # noqa: PLC0415  # likewise

    from batch_layer.spark.session import DELTA, KAFKA_PACKAGE  # noqa: PLC0415  # likewise

    port = free_port()
    builder = configure_spark_with_delta_pip(SparkSession.builder, extra_packages=[KAFKA_PACKAGE])
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.jars.packages": builder._options["spark.jars.packages"],
        **(DELTA if with_delta else {}),
    }
    packaged = Path(pyspark.__file__).parent
    told = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    with (folder / "server.log").open("wb") as output:
        server = subprocess.Popen(
            [packaged / "bin" / "spark-submit", "--master", "local[2]", "--class", SERVER, *told, "spark-internal"],
            env=os.environ
            | {
                "JAVA_HOME": str(home),
                "PYSPARK_PYTHON": sys.executable,
                "SPARK_LOCAL_IP": "127.0.0.1",
                "SPARK_HOME": str(packaged),
                "POLARS_MAX_THREADS": "1",
            },
            stdout=output,
            stderr=output,
        )
    try:
        eventually(lambda: server.poll() is not None or listens("127.0.0.1", port), within_s=180)
        assert server.poll() is None, (folder / "server.log").read_text(encoding="utf-8")[-3000:]
        yield f"sc://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=60)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with connect_server(tmp_path_factory.mktemp("server"), with_delta=True) as address:
        yield address


@pytest.fixture(scope="module")
def topic(kafka: str) -> str:
    topic = ensure_topic(kafka, f"connect-{uuid.uuid4()}", 2)
    with closing(KafkaProducer(bootstrap_servers=kafka)) as producer:
        for minute in range(10, 40):
            producer.send(topic.name, trade_value(f"10:{minute}:00", minute), partition=minute % 2)
            producer.send(topic.name, trade_value(f"10:{minute}:00", minute), partition=minute % 2)
        producer.send(topic.name, b"no trade", partition=0)
        producer.flush(timeout=60)
    return topic.name


def cycle(folder: Path, kafka: str, topic: str, engine: str, master: str) -> subprocess.CompletedProcess[str]:
    """A batch cycle in a process of its own, since one that speaks to a server can have no Spark besides."""
    assert engine in ENGINES
    return subprocess.run(
        [sys.executable, "-m", "twofold", "cycle"],
        env=os.environ
        | {
            "TWOFOLD_DATA_FOLDER": str(folder),
            "TWOFOLD_BOOTSTRAP_SERVERS": kafka,
            "TWOFOLD_TOPIC": topic,
            "TWOFOLD_ENGINE": engine,
            "TWOFOLD_SPARK_MASTER": master,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.large
def test_a_lake_that_a_server_made_is_the_one_that_polars_makes(
    server: str, kafka: str, topic: str, tmp_path: Path
) -> None:
    lakes = []
    for engine in ("spark", "polars"):
        ran = cycle(tmp_path / engine, kafka, topic, engine, server)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        lakes.append(Lake(str(tmp_path / engine / "lake")))
    theirs, ours = (Publications(lake).newest() for lake in lakes)
    assert theirs.tables.keys() == ours.tables.keys()
    assert (theirs.cut, theirs.accounts, theirs.witnesses) == (ours.cut, ours.accounts, ours.witnesses)
    assert sum(account.folded for account in ours.accounts.values()) == 30
    for name in ours.tables:
        rows, others = (table(lake, name, each) for lake, each in zip(lakes, (theirs, ours), strict=True))
        assert rows.schema == others.schema
        assert rows.equals(others), name


def test_a_server_that_is_not_there_is_told_of_and_nothing_is_written(kafka: str, topic: str, tmp_path: Path) -> None:
    address = f"sc://127.0.0.1:{free_port()}"
    ran = cycle(tmp_path, kafka, topic, "spark", address)
    assert ran.returncode == 1
    assert f"The Spark Connect server at {address} cannot be used" in " ".join(ran.stderr.split())
    assert not (tmp_path / "lake" / "trades").exists()


@pytest.mark.large
def test_a_server_without_delta_is_told_of_with_what_starts_it_right(kafka: str, topic: str, tmp_path: Path) -> None:
    with connect_server(tmp_path, with_delta=False) as address:
        ran = cycle(tmp_path / "data", kafka, topic, "spark", address)
    assert ran.returncode == 1
    assert "was started without Delta Lake" in " ".join(ran.stderr.split())
    assert not (tmp_path / "data" / "lake" / "trades").exists()
