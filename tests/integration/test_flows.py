"""The batch flow on a real Prefect server, over real Kafka and real Delta tables."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson
import psutil
import pytest
from eventually import eventually
from kafka import KafkaProducer
from prefect.settings import PREFECT_API_URL, temporary_settings
from scheduling import PrefectServer, prefect_server
from small_market import trade_value

from batch_layer.turn import turn
from flows.batch_cycle import ARTIFACT, batch_cycle
from twofold.event_log.topic import ensure_topic
from twofold.lake import Lake
from twofold.port import free_port
from twofold.publication import Publications

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

NEXT_CYCLE_WITHIN_S = 60.0


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    with prefect_server(tmp_path_factory.mktemp("prefect")) as server:
        yield server


@pytest.fixture
def environment(
    kafka: str, prefect: PrefectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """A topic and a lake of its own, in the settings of this process and of those that it starts."""
    ours = {
        "TWOFOLD_BOOTSTRAP_SERVERS": kafka,
        "TWOFOLD_TOPIC": f"flows-{uuid4().hex}",
        "TWOFOLD_DATA_FOLDER": str(tmp_path),
        "TWOFOLD_CYCLE_INTERVAL_S": "5",
    }
    for name, value in ours.items():
        monkeypatch.setenv(name, value)
    ensure_topic(kafka, ours["TWOFOLD_TOPIC"], 2)
    with temporary_settings({PREFECT_API_URL: prefect.url}):
        yield prefect.environment | ours


def send(environment: dict[str, str], *values: bytes, partition: int = 0) -> None:
    """Put records into the topic."""
    producer = KafkaProducer(bootstrap_servers=environment["TWOFOLD_BOOTSTRAP_SERVERS"])
    for value in values:
        producer.send(environment["TWOFOLD_TOPIC"], value, partition=partition)
    producer.flush()
    producer.close()


def lake(environment: dict[str, str]) -> Lake:
    return Lake(str(Path(environment["TWOFOLD_DATA_FOLDER"], "lake")))


def newest_artifact(prefect: PrefectServer) -> list[dict[str, Any]]:
    """The rows of the newest table that a cycle left."""
    found = httpx.get(f"{prefect.url}/artifacts/{ARTIFACT}/latest", timeout=30).raise_for_status().json()
    rows: list[dict[str, Any]] = orjson.loads(found["data"])
    return rows


def test_a_cycle_moves_the_cut_and_tables_what_it_did(environment: dict[str, str], prefect: PrefectServer) -> None:
    good = [trade_value("10:00:00", number) for number in range(3)]
    send(environment, *good, good[0], b"{")
    send(environment, trade_value("10:00:01", 9), partition=1)
    state = batch_cycle(return_state=True)
    assert state.is_completed(), state
    publication = Publications(lake(environment)).newest()
    assert publication.sequence == 1
    by_cut = {row["new cut"]: row for row in newest_artifact(prefect)}
    assert sorted(publication.cut.values()) == [1, 5]
    told = {name: by_cut[5][name] for name in ("read", "folded", "duplicates", "dead letters", "lost", "old cut")}
    assert told == {"read": 5, "folded": 3, "duplicates": 1, "dead letters": 1, "lost": 0, "old cut": 0}


def test_a_cycle_without_news_publishes_nothing(environment: dict[str, str]) -> None:
    send(environment, trade_value("10:00:00", 1))
    assert batch_cycle(return_state=True).is_completed()
    again = batch_cycle(return_state=True)
    assert (again.type.value, again.name) == ("COMPLETED", "Nothing new")
    assert Publications(lake(environment)).newest().sequence == 1


def test_a_cycle_beside_another_one_steps_back(environment: dict[str, str]) -> None:
    send(environment, trade_value("10:00:00", 1))
    with turn(lake(environment)):
        state = batch_cycle(return_state=True)
    assert (state.type.value, state.name) == ("COMPLETED", "Skipped")
    assert "Another batch cycle is at work" in str(state.message)


def test_a_broker_that_is_away_is_tried_again_and_then_named(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, prefect: PrefectServer
) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("TWOFOLD_BOOTSTRAP_SERVERS", nobody)
    state = batch_cycle(return_state=True)
    assert state.is_failed()
    assert f"No Kafka broker answers at {nobody}" in str(state.message)
    tasks = {"flow_runs": {"id": {"any_": [str(state.state_details.flow_run_id)]}}}

    def tries() -> int:
        found = httpx.post(f"{prefect.url}/task_runs/filter", json=tasks, timeout=30).json()
        return max((task["run_count"] for task in found), default=0)

    assert eventually(lambda: tries() >= 4)


class Deployments:
    """`twofold deployments` as a process, and what Prefect says of its runs."""

    def __init__(self, environment: dict[str, str], url: str) -> None:
        self._environment = environment
        self._url = url
        self._process = self._started()

    def kill(self) -> None:
        """Kill it and every run that it has started."""
        for process in [*psutil.Process(self._process.pid).children(recursive=True), self._process]:
            process.kill()
        self._process.wait()

    def start(self) -> None:
        """Start it again."""
        self._process = self._started()

    def runs(self, *states: str) -> set[str]:
        """The ids of all runs in these states."""
        wanted = {"flow_runs": {"state": {"type": {"any_": list(states)}}}, "limit": 200}
        found = httpx.post(f"{self._url}/flow_runs/filter", json=wanted, timeout=30).json()
        return {run["id"] for run in found if run["deployment_id"]}

    def processes_of_runs(self) -> list[psutil.Process]:
        """The processes that work on runs now."""
        return psutil.Process(self._process.pid).children(recursive=True)

    def _started(self) -> subprocess.Popen[bytes]:
        with Path(self._environment["TWOFOLD_DATA_FOLDER"], "deployments.log").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "twofold", "deployments"], env=self._environment, stdout=output, stderr=output
            )


@pytest.fixture
def deployments(environment: dict[str, str], prefect: PrefectServer) -> Iterator[Deployments]:
    running = Deployments({**os.environ, **environment}, prefect.url)
    yield running
    running.kill()


def kill_run(deployments: Deployments) -> None:
    for process in deployments.processes_of_runs():
        process.kill()


def kill_all_and_start_again(deployments: Deployments) -> None:
    deployments.kill()
    deployments.start()


@pytest.mark.parametrize("kill", [kill_run, kill_all_and_start_again])
def test_after_a_killed_run_the_next_cycle_starts_within_a_minute(
    deployments: Deployments, kill: Callable[[Deployments], None]
) -> None:
    eventually(lambda: deployments.runs("COMPLETED"), within_s=180)
    eventually(lambda: deployments.runs("RUNNING"), within_s=120)
    before = deployments.runs("RUNNING", "COMPLETED", "PENDING", "CRASHED", "FAILED", "CANCELLED", "CANCELLING")
    killed_at_s = time.monotonic()
    kill(deployments)
    eventually(lambda: deployments.runs("RUNNING", "COMPLETED") - before, within_s=180)
    assert time.monotonic() - killed_at_s < NEXT_CYCLE_WITHIN_S
