"""The served deployment as it runs: `twofold deployments` as a process, a Prefect server, and cycles that die."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from eventually import eventually
from kafka import KafkaProducer
from scheduling import PrefectServer
from small_market import trade_value

from flows.serving import DEPLOYMENT
from twofold.event_log.topic import ensure_topic
from twofold.lake import Lake
from twofold.publication import Publications

pytestmark = pytest.mark.integration

NEXT_CYCLE_WITHIN_S = 60.0
INTERVAL_S = 5


class Deployments:
    """`twofold deployments`, on a topic that is missing at first: cycles wait for it, and so can be caught at work."""

    def __init__(self, server: PrefectServer, brokers: str, folder: Path) -> None:
        self.brokers = brokers
        self.topic = f"served-{uuid.uuid4()}"
        self.lake = Lake(str(folder / "lake"))
        self.log = folder / "deployments.log"
        self._server = server
        self._environment = server.environment | {
            "TWOFOLD_DATA_FOLDER": str(folder),
            "TWOFOLD_BOOTSTRAP_SERVERS": brokers,
            "TWOFOLD_TOPIC": self.topic,
            "TWOFOLD_CYCLE_INTERVAL_S": str(INTERVAL_S),
        }
        self.start()

    def start(self) -> None:
        """Start serving."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "twofold", "deployments"],
                env=self._environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def kill(self) -> None:
        """Kill it with all its runs."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def runs(self, *states: str) -> set[str]:
        """The runs that are in one of these states."""
        found = self._server.find(
            "flow_runs",
            flows={"name": {"any_": ["batch-cycle"]}},
            deployments={"name": {"any_": [DEPLOYMENT]}},
            flow_runs={"state": {"type": {"any_": list(states)}}},
        )
        return {run["id"] for run in found}

    def caught_at_work(self) -> set[str]:
        """Wait for a run to be at work; gives all runs that have begun by then."""
        eventually(lambda: self.runs("RUNNING"), within_s=120)
        return self.runs("RUNNING", "COMPLETED", "FAILED", "CRASHED")

    def wait_for_next(self, begun: set[str]) -> float:
        """Wait for a run beside these to begin; gives the seconds that it took."""
        since_s = time.monotonic()
        eventually(lambda: self.runs("RUNNING", "COMPLETED", "FAILED") - begun, within_s=120)
        return time.monotonic() - since_s

    def send(self, count: int) -> None:
        """Send trades."""
        ensure_topic(self.brokers, self.topic, 1)
        with closing(KafkaProducer(bootstrap_servers=self.brokers)) as producer:
            for number in range(count):
                producer.send(self.topic, trade_value("10:00:00", number))
            producer.flush(timeout=60)

    def wait_for_cut(self, records: int) -> None:
        """Wait until so many records are below the published cut."""
        eventually(lambda: sum(Publications(self.lake).newest().cut.values()) >= records, within_s=120)


@pytest.fixture(scope="module")
def deployments(prefect: PrefectServer, kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployments]:
    deployments = Deployments(prefect, kafka, tmp_path_factory.mktemp("deployments"))
    yield deployments
    if deployments.process.poll() is None:
        deployments.kill()


def test_after_a_run_is_killed_the_next_begins_within_a_minute(deployments: Deployments) -> None:
    begun = deployments.caught_at_work()
    for child in psutil.Process(deployments.process.pid).children(recursive=True):
        child.kill()
    assert deployments.wait_for_next(begun) < NEXT_CYCLE_WITHIN_S


def test_after_all_is_killed_the_next_run_begins_within_a_minute_of_the_kill(deployments: Deployments) -> None:
    begun = deployments.caught_at_work()
    deployments.kill()
    deployments.start()
    assert deployments.wait_for_next(begun) < NEXT_CYCLE_WITHIN_S


def test_cycles_run_on_the_interval(deployments: Deployments) -> None:
    for records in (10, 20):
        deployments.send(10)
        deployments.wait_for_cut(records)


def test_it_stops_when_it_is_asked_to_and_leaves_no_process(deployments: Deployments) -> None:
    children = psutil.Process(deployments.process.pid).children(recursive=True)
    deployments.process.terminate()
    deployments.process.wait(timeout=60)
    eventually(lambda: not any(child.is_running() for child in children))


def test_without_the_address_of_a_server_it_says_what_to_set(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment |= {"TWOFOLD_DATA_FOLDER": str(tmp_path), "PREFECT_HOME": str(tmp_path / "prefect")}
    ended = subprocess.run(
        [sys.executable, "-m", "twofold", "deployments"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("twofold: No Prefect server is named. Set PREFECT_API_URL")
