"""The Spark session: how it is opened, and what to say when Spark fails."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from delta import configure_spark_with_delta_pip
from delta.exceptions import DeltaConcurrentModificationException
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from batch_layer.spark.java import java_home
from twofold.errors import ArithmeticOverflow, EngineError, EventLogError, Superseded

KAFKA_PACKAGE = "org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0"

_SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",  # an overflow is an error and not a null
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",  # INT96 by default, nanoseconds without a time zone
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


def open_session(master: str) -> SparkSession:
    """The session of this process, on a Spark master such as `local[*]` or `spark://host:7077`.

    Raises:
        EngineMissing: there is no Java that Spark runs on.
        EngineError: Spark does not start.
    """
    if running := SparkSession.getActiveSession():
        return running
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
