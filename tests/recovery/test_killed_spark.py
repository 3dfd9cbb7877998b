"""A cycle by Spark whose driver or whose Java is killed amid a write leaves a lake that either engine goes on from."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from itertools import product
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from engine_pair import table
from kafka import KafkaProducer

from batch_layer.spark.java import java_home
from twofold.errors import EngineMissing
from twofold.event_log.topic import ensure_topic
from twofold.lake import Lake
from twofold.publication import Publication, Publications
from twofold.sources.faults import FaultShares
from twofold.sources.simulation import simulate_market

pytestmark = [pytest.mark.integration, pytest.mark.large, pytest.mark.timeout(1_200)]

TRADES = 40_000
START_US = 1_723_161_600_000_000
SUPERSEDED_AT_MOST = 3
FAULTS = FaultShares(repeated=0.02, broken=0.01)


@pytest.fixture(autouse=True)
def java() -> None:
    try:
        java_home()
    except EngineMissing as missing:
        pytest.skip(str(missing))


class Deployment:
    """A topic, and lakes that `twofold cycle` works on."""

    def __init__(self, brokers: str, folder: Path) -> None:
        self._folder = folder
        self._sent = 0
        self._settings = {"TWOFOLD_BOOTSTRAP_SERVERS": brokers, "TWOFOLD_TOPIC": f"killed-{uuid4().hex}"}
        ensure_topic(brokers, self._settings["TWOFOLD_TOPIC"], 3)

    def send(self) -> None:
        self._sent += 1
        market = simulate_market(
            rate=100.0,
            symbols=9,
            seed=self._sent,
            start_us=START_US + self._sent,
            shares=FAULTS,
            headers=[],
            count=TRADES,
        )
        with closing(KafkaProducer(bootstrap_servers=self._settings["TWOFOLD_BOOTSTRAP_SERVERS"])) as producer:
            for _, (key, value, _) in market:
                producer.send(self._settings["TWOFOLD_TOPIC"], value, key)
            producer.flush()

    def lake(self, name: str) -> Lake:
        return Lake(str(self._folder / name / "lake"))

    def start(self, name: str, engine: str) -> subprocess.Popen[bytes]:
        settings = self._settings | {"TWOFOLD_DATA_FOLDER": str(self._folder / name), "TWOFOLD_ENGINE": engine}
        said = (self._folder / f"{name}.log").open("ab")
        with said:
            command = [sys.executable, "-m", "twofold", "cycle"]
            return subprocess.Popen(command, env=os.environ | settings, stdout=said, stderr=said)

    def cycle(self, name: str, engine: str) -> Publication:
        """Run a cycle to its end; a Java that outlived its driver may still take another's place, so try again then."""
        for _ in range(SUPERSEDED_AT_MOST):
            if self.start(name, engine).wait() == 0:
                return Publications(self.lake(name)).newest()
        raise AssertionError((self._folder / f"{name}.log").read_text()[-3_000:])


def kill_amid_write(process: subprocess.Popen[bytes], table: Path, victim: str) -> None:
    """Kill the driver or its Java as soon as a data file that no commit names appears in a table's folder."""
    there, javas = set(table.rglob("*.parquet")), list[psutil.Process]()
    try:
        while not set(table.rglob("*.parquet")) - there:
            assert process.poll() is None, "the cycle ended before it wrote"
            time.sleep(0.005)
        javas += [child for child in psutil.Process(process.pid).children(recursive=True) if child.name() == "java"]
        assert javas
        for doomed in javas if victim == "java" else [psutil.Process(process.pid)]:
            doomed.send_signal(signal.SIGKILL)
        assert process.wait(timeout=120) != 0
    finally:
        process.kill()
        psutil.wait_procs(javas, timeout=60)


def test_killed_amid_a_write_the_lake_is_gone_on_from_exactly(kafka: str, tmp_path: Path) -> None:
    deployment = Deployment(kafka, tmp_path)
    engines = ["polars", "spark", "polars", "spark"]
    deployment.send()
    deployment.cycle("whole", "polars")
    deployment.cycle("killed", "polars")
    for engine, (written, victim) in zip(engines, product(("trades", "views/bars"), ("driver", "java")), strict=True):
        deployment.send()
        doomed = deployment.start("killed", "spark")
        kill_amid_write(doomed, Path(deployment.lake("killed").root) / written, victim)
        publication, same = deployment.cycle("whole", "polars"), deployment.cycle("killed", engine)
        assert (publication.sequence, publication.cut, publication.accounts) == (same.sequence, same.cut, same.accounts)
        for name in publication.tables:
            rows = table(deployment.lake("whole"), name, publication)
            assert rows.equals(table(deployment.lake("killed"), name, same))
