"""Leftovers: runs that the scheduler takes to be at work, though the process that did them is gone.

A run holds its deployment's one slot until it reports its end, or until its lease runs out, and the engine takes
leases of five minutes. A run that was killed together with the process that served it reports nothing, and every cycle
in between would be cancelled. So the process that serves deployments ends what was left behind.
"""

from __future__ import annotations

import logging
import threading
import time
from uuid import UUID

import httpx
import psutil
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import PrefectException
from prefect.states import Crashed

LOOK_S = 10.0
"""Seconds between looks. A run counts as left behind when it has no process at two looks in a row."""

_AT_WORK = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
_AT_ONCE = 100
_RUN_ID = "PREFECT__FLOW_RUN_ID"  # what the runner tells the process of a run in its environment

log = logging.getLogger(__name__)


class Leftovers(threading.Thread):
    """Ends the leftovers of deployments of one name, while the process lives that serves them, the only one that does.

    What has no process when this is made was left by a process before, and is ended at once.
    """

    def __init__(self, deployment: str) -> None:
        super().__init__(name="leftovers", daemon=True)
        self._deployment = deployment
        self._idle = self._without_process()
        self.look()

    def run(self) -> None:
        """Look again and again."""
        while True:
            time.sleep(LOOK_S)
            try:
                self.look()
            except (httpx.HTTPError, PrefectException) as error:
                log.info("The Prefect server does not answer; looking for leftovers again later: %s", error)

    def look(self) -> None:
        """End the runs that have no process now and had none at the look before."""
        idle = self._without_process()
        self._end(idle & self._idle)
        self._idle = idle

    def _without_process(self) -> set[UUID]:
        with get_client(sync_client=True) as client:
            runs = client.read_flow_runs(
                deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[self._deployment])),
                flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_AT_WORK))),
                sort=FlowRunSort.EXPECTED_START_TIME_ASC,
                limit=_AT_ONCE,
            )
        return {run.id for run in runs} - _with_process() if runs else set()

    @staticmethod
    def _end(runs: set[UUID]) -> None:
        with get_client(sync_client=True) as client:
            for run in runs:
                log.warning("Run %s has no process any more; it is taken to have crashed", run)
                client.set_flow_run_state(run, Crashed(message="The process that ran it is gone."))


def _with_process() -> set[UUID]:
    """The runs that a process of this machine works on."""
    runs: set[UUID] = set()
    for process in psutil.process_iter():
        try:
            run = process.environ().get(_RUN_ID)
        except (psutil.Error, OSError):
            continue  # gone by now, or someone else's
        if run:
            runs.add(UUID(run))
    return runs
