"""The deployments of prefect.yaml as an operator makes them: a work pool, `prefect deploy --all` and a real worker."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from eventually import eventually
from kafka import KafkaProducer
from prefect.client.orchestration import get_client
from scheduling import PrefectServer
from small_market import DAY, trade_value

from flows.serving import DEPLOYMENT, deployments
from twofold.event_log.topic import ensure_topic
from twofold.lake import Lake
from twofold.publication import Publications, found_lake
from twofold.settings import Settings

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
POOL = "twofold"
NAME = "pooled"
DECLARED: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]


class Pool:
    """A work pool with the deployments of prefect.yaml, and a worker of it."""

    def __init__(self, server: PrefectServer, folder: Path, settings: dict[str, str]) -> None:
        self._server = server
        self._environment = server.environment | settings | {"PWD": str(ROOT), "PREFECT_WORKER_QUERY_SECONDS": "1"}
        self._log = folder / "worker.log"
        self.prefect("work-pool", "create", "--type", "process", POOL)
        self.told = self.prefect("deploy", "--all")
        for deployment in self.deployments():
            httpx.patch(f"{server.url}/deployments/{deployment['id']}", json={"paused": True}).raise_for_status()
        with self._log.open("ab") as output:
            self._worker = subprocess.Popen(
                [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL],
                cwd=ROOT,
                env=self._environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def prefect(self, *arguments: str) -> str:
        """What a command of Prefect's says."""
        ended = subprocess.run(
            [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def deployments(self) -> list[dict[str, Any]]:
        """The deployments of the pool, as the server has them."""
        return self._server.find("deployments", deployments={"name": {"any_": [NAME]}})

    def run(self, flow: str, **parameters: object) -> dict[str, Any]:
        """A run of a deployment, once it has ended."""
        with get_client(sync_client=True) as client:
            deployment = client.read_deployment_by_name(f"{flow}/{NAME}")
            run = client.create_flow_run_from_deployment(deployment.id, parameters=parameters)

        def ended() -> dict[str, Any] | None:
            (found,) = self._server.find("flow_runs", flow_runs={"id": {"any_": [str(run.id)]}})
            return found if found["state_type"] in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"} else None

        return eventually(ended, within_s=120)

    def stop(self) -> None:
        """Stop the worker."""
        self._worker.terminate()
        try:
            self._worker.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(self._worker.pid, 9)
            raise


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(str(tmp_path_factory.mktemp("pool") / "lake"))
    found_lake(lake)
    return lake


@pytest.fixture(scope="module")
def pool(prefect: PrefectServer, kafka: str, lake: Lake) -> Iterator[Pool]:
    topic = ensure_topic(kafka, f"pool-{uuid.uuid4()}", 1)
    with closing(KafkaProducer(bootstrap_servers=kafka)) as producer:
        for minute in range(10, 15):
            producer.send(topic.name, trade_value(f"10:{minute}:00", minute), partition=0)
        producer.flush(timeout=60)
    folder = Path(lake.root).parent
    settings = {
        "TWOFOLD_DATA_FOLDER": str(folder),
        "TWOFOLD_BOOTSTRAP_SERVERS": kafka,
        "TWOFOLD_TOPIC": topic.name,
        "TWOFOLD_SERVING_ADDRESS": "127.0.0.1:1",
    }
    pool = Pool(prefect, folder, settings)
    try:
        yield pool
    finally:
        pool.stop()


def test_a_worker_of_the_pool_runs_batch_cycles(pool: Pool, lake: Lake) -> None:
    ended = pool.run("batch-cycle")
    assert (ended["state_type"], ended["state"]["message"]) == ("COMPLETED", "Publication 1: 5 records taken in.")
    assert sum(Publications(lake).newest().cut.values()) == 5


def test_a_worker_of_the_pool_verifies_receipts_and_says_that_serving_is_away(pool: Pool) -> None:
    ended = pool.run("verify-receipts", answers=3)
    assert ended["state_type"] == "FAILED"
    assert "Serving does not answer at 127.0.0.1:1" in ended["state"]["message"]


def test_a_worker_of_the_pool_makes_an_end_of_day(pool: Pool, lake: Lake) -> None:
    ended = pool.run("end-of-day", day=DAY)
    assert ended["state_type"] == "COMPLETED"
    assert f"figures of {DAY}, made of publication 1" in ended["state"]["message"]
    assert lake.exists("end_of_day")


def test_the_server_knows_what_each_parameter_means(pool: Pool) -> None:
    deployed = pool.deployments()
    assert {each["entrypoint"] for each in deployed} == {each["entrypoint"] for each in DECLARED}
    for deployment in deployed:
        assert deployment["enforce_parameter_schema"]
        for name, parameter in deployment["parameter_openapi_schema"]["properties"].items():
            assert parameter["description"], f"{deployment['entrypoint']} says nothing of {name}"


def test_deployments_of_the_pool_are_those_that_are_served_otherwise() -> None:
    served = list(deployments(Settings()))
    assert {each.name for each in served} == {DEPLOYMENT}
    assert len(served) == len(DECLARED)
    for ours, declared in zip(served, DECLARED, strict=True):
        assert ours.flow_name.replace("-", "_") == declared["entrypoint"].rsplit(".", 1)[1]
        assert ours.description == declared["description"]
        assert ours.tags == declared["tags"]
        assert ours.concurrency_limit == declared["concurrency_limit"]["limit"]
        assert ours.concurrency_options.collision_strategy == declared["concurrency_limit"]["collision_strategy"]
        for ours_at, declared_at in zip(ours.schedules, declared["schedules"], strict=True):
            schedule = ours_at.schedule.model_dump()
            wanted = {name: schedule.get(name) for name in declared_at}
            if "interval" in wanted:
                wanted["interval"] = wanted["interval"].total_seconds()
            assert wanted == declared_at
