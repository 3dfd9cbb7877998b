"""The Spark that all integration tests share; they are passed over, saying what is missing, where it cannot run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from twofold.errors import EngineMissing

RESULTS = "16m"
"""What the driver may be sent of the results of one job: what is collected of records must fit."""


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    try:
        from batch_layer.spark.java import java_home  # noqa: PLC0415  # slow, and in vain without Java

        java_home()
    except EngineMissing as missing:
        pytest.skip(str(missing))
    from batch_layer.spark.session import open_session  # noqa: PLC0415  # likewise

    warehouse = tmp_path_factory.mktemp("warehouse")
    with pytest.MonkeyPatch.context() as patch:
        settings = f"--conf spark.driver.maxResultSize={RESULTS} --conf spark.sql.warehouse.dir={warehouse}"
        patch.setenv("PYSPARK_SUBMIT_ARGS", f"{settings} pyspark-shell")
        for name in ("JAVA_HOME", "PYSPARK_PYTHON", "SPARK_LOCAL_IP"):
            patch.delenv(name, raising=False)
        session = open_session("local[2]")
        gateway: Any = session.sparkContext._gateway
        yield session
    session.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(timeout=60)
