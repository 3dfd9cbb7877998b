"""The Spark session: how it is opened, and what to say when Spark fails."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from delta import configure_spark_with_delta_pip
from delta.exceptions import DeltaConcurrentModificationException
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException, PySparkImportError
from pyspark.sql import SparkSession

from batch_layer.spark.java import java_home
from twofold.errors import ArithmeticOverflow, EngineError, EngineMissing, EventLogError, Superseded

KAFKA_PACKAGE = "org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0"

CONNECT = "sc://"
"""What the address of a Spark Connect server begins with."""

DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}
"""What Spark is told of Delta Lake; it can be told at its start alone."""

_MEANING = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",  # an overflow is an error and not a null
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",  # INT96 by default, nanoseconds without a time zone
}
_SETTINGS = {
    **DELTA,
    **_MEANING,
    "spark.ui.showConsoleProgress": "false",
    # Shown nowhere: the last of these is where a password for Kafka is.
    "spark.redaction.regex": "(?i)secret|password|token|access[.]?key|jaas",
    "spark.executorEnv.POLARS_MAX_THREADS": "1",  # each task has a core
}
_LOCAL = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": str(os.cpu_count() or 1),  # 200 by default, each a file and a task
    "spark.databricks.delta.snapshotPartitions": "2",  # 50 by default
}
_CONNECT_PORT = 15002
_REACHED_WITHIN_S = 10.0


def open_session(master: str) -> SparkSession:
    """The session of this process.

    It is on a Spark master such as `local[*]` or `spark://host:7077`, or of a Spark Connect server such as
    `sc://host:15002`, which needs no Java here.

    Raises:
        EngineMissing: there is no Java that Spark runs on, or a package that Spark Connect needs is not installed.
        EngineError: Spark does not start, or its server cannot be used.
    """
    if running := SparkSession.getActiveSession():
        return running
    if master.startswith(CONNECT):
        return _connected(master)
    os.environ["JAVA_HOME"] = str(java_home())
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    is_local = master.startswith("local")
    if is_local:
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    builder = SparkSession.builder.master(master).appName("twofold")
    for name, value in (_SETTINGS | (_LOCAL if is_local else {})).items():
        builder = builder.config(name, value)
    try:
        session = configure_spark_with_delta_pip(builder, extra_packages=[KAFKA_PACKAGE]).getOrCreate()
    except (PySparkException, RuntimeError, OSError, Py4JError) as error:
        raise EngineError(
            f"Spark does not start on master {master!r}: {error}. Look at what it wrote above: it may not have reached "
            "its master (TWOFOLD_SPARK_MASTER), or the repository that its packages come from. Nothing was written."
        ) from error
    session.sparkContext.setLogLevel("ERROR")
    return session


def _connected(address: str) -> SparkSession:
    place = urlsplit(address)
    try:
        socket.create_connection((place.hostname or "", place.port or _CONNECT_PORT), _REACHED_WITHIN_S).close()
        session = SparkSession.builder.remote(address).getOrCreate()
        lacking = [name for name, value in DELTA.items() if value not in (session.conf.get(name, "") or "")]
        for name, value in _MEANING.items():
            session.conf.set(name, value)
    except PySparkImportError as error:
        raise EngineMissing(
            f"Spark Connect needs packages that are not installed: {_reason(error)}. Install the extra: `pip install "
            "'twofold[spark]'`. Nothing was written."
        ) from error
    except (PySparkException, OSError) as error:
        raise EngineError(
            f"The Spark Connect server at {address} cannot be used: {error}. See that it runs, and that "
            "TWOFOLD_SPARK_MASTER is its address. Nothing was written."
        ) from error
    if lacking:
        session.stop()
        told = " ".join(f"--conf {name}={DELTA[name]}" for name in lacking)
        raise EngineError(
            f"The Spark Connect server at {address} was started without Delta Lake. Start it with its packages and "
            f"`{told}`. Nothing was written."
        )
    return session


@contextmanager
def in_our_words(doing: str) -> Iterator[None]:
    """Turn Spark's errors into Twofold's.

    Raises:
        Superseded: another writer committed to a table first.
        ArithmeticOverflow: a sum left the range of its type.
        EventLogError: Kafka does not give what was asked for.
        EngineError: anything else.
    """
    try:
        yield
    except DeltaConcurrentModificationException as error:
        raise Superseded(
            f"Another writer was at work while Spark was {doing}. Nothing of this cycle is public; the next cycle "
            "starts again from the newest publication."
        ) from error
    except (PySparkException, Py4JError) as error:
        if "KafkaIllegalStateException" in str(error) or "org.apache.kafka.common.errors" in str(error):
            raise EventLogError(
                f"Spark could not read the event log while {doing}: {_reason(error)}. Nothing was taken in. Another "
                "try finds out what retention took meanwhile; else look at the brokers."
            ) from error
        if "ARITHMETIC_OVERFLOW" in str(error) or "NUMERIC_VALUE_OUT_OF_RANGE" in str(error):
            raise ArithmeticOverflow(
                f"A sum left the range of its decimal type while Spark was {doing}. Nothing is public of it. Look for "
                f"a wrong price or size among the trades. Spark says: {_reason(error)}."
            ) from error
        raise EngineError(
            f"Spark failed while {doing}: {_reason(error)}. Nothing of this cycle is public, and it is safe to run "
            "again; Spark's log has the rest."
        ) from error


def _reason(error: PySparkException | Py4JError) -> str:
    """What Spark says, in a line: of an error in Java what caused it, else the first line."""
    lines = [line.strip().removeprefix(": ") for line in str(error).strip().splitlines()]
    return next((line for line in lines[1:] if "Exception: " in line), lines[0]).rstrip(".")
