"""Runs whose process is gone, as a real Prefect server knows them."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.states import Pending, Running, Scheduled
from scheduling import PrefectServer

from flows.leftovers import Leftovers

pytestmark = pytest.mark.integration


@flow(name="leftovers")
def nothing() -> None:
    """Do nothing."""


class Deployment:
    """A deployment of a flow that nobody serves."""

    def __init__(self, server: PrefectServer) -> None:
        self.name = f"test-{uuid.uuid4()}"
        self._server = server
        with get_client(sync_client=True) as client:
            self._id = client.create_deployment(client.create_flow(nothing), self.name)

    def run(self, state: State[None]) -> UUID:
        """A run that stands there in a state."""
        with get_client(sync_client=True) as client:
            run = client.create_flow_run_from_deployment(self._id)
            client.set_flow_run_state(run.id, state, force=True)
            return run.id

    def states(self) -> dict[UUID, str]:
        """Each run's state."""
        found = self._server.find("flow_runs", deployments={"id": {"any_": [str(self._id)]}})
        return {UUID(run["id"]): run["state_type"] for run in found}


@pytest.fixture
def deployment(prefect: PrefectServer) -> Deployment:
    return Deployment(prefect)


@contextmanager
def process_of(run: UUID) -> Iterator[None]:
    """A process that works on a run, as far as one can see."""
    environment = os.environ | {"PREFECT__FLOW_RUN_ID": str(run)}
    program = "import sys; print(flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield
    finally:
        process.communicate()


@pytest.mark.parametrize("state", [Running(), Pending()], ids=["running", "pending"])
def test_a_run_that_a_process_before_left_behind_is_ended_at_once(deployment: Deployment, state: State[None]) -> None:
    run = deployment.run(state)
    Leftovers(deployment.name)
    assert deployment.states() == {run: "CRASHED"}


def test_a_run_with_a_process_is_left_alone_until_that_is_gone(deployment: Deployment) -> None:
    run = deployment.run(Running())
    with process_of(run):
        leftovers = Leftovers(deployment.name)
        leftovers.look()
        assert deployment.states() == {run: "RUNNING"}
    leftovers.look()
    assert deployment.states() == {run: "RUNNING"}, "it may be about to report its end"
    leftovers.look()
    assert deployment.states() == {run: "CRASHED"}


def test_a_run_that_is_to_begin_later_is_left_alone(deployment: Deployment) -> None:
    run = deployment.run(Scheduled())
    Leftovers(deployment.name)
    assert deployment.states() == {run: "SCHEDULED"}


def test_runs_of_other_deployments_are_left_alone(prefect: PrefectServer, deployment: Deployment) -> None:
    run = deployment.run(Running())
    Leftovers(Deployment(prefect).name)
    assert deployment.states() == {run: "RUNNING"}
