"""Serving the flows as deployments from one process, without a work pool."""

from __future__ import annotations

import logging
import time
from datetime import timedelta

import httpx
from prefect import serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.settings import PREFECT_API_URL

from flows.batch_cycle import batch_cycle
from flows.leftovers import Leftovers
from twofold.errors import SchedulerUnreachable
from twofold.settings import Settings

BATCH_CYCLE = "twofold"
"""The name of the served deployment of the batch cycle; its full name is `batch-cycle/twofold`."""


WAIT_S = 180.0
"""Seconds to wait for a Prefect server that is still starting."""

_HTTP_OK = 200

log = logging.getLogger(__name__)


def serve_deployments(settings: Settings) -> None:
    """Serve until stopped. A run that would begin while another is at work is cancelled, so none pile up.

    Raises:
        SchedulerUnreachable: no Prefect server answers.
    """
    _wait_for_server()
    Leftovers(BATCH_CYCLE).start()
    deployment = RunnerDeployment.from_flow(
        batch_cycle,
        name=BATCH_CYCLE,
        interval=timedelta(seconds=settings.cycle_interval_s),
        description="Moves the published cut up to what the event log holds.",
        tags=["twofold"],
        concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW),
    )
    serve(deployment, pause_on_shutdown=False, print_starting_message=False)


def _wait_for_server() -> None:
    address = PREFECT_API_URL.value()
    if address is None:
        raise SchedulerUnreachable(
            "No Prefect server is named. Set PREFECT_API_URL, such as http://127.0.0.1:4200/api, or run `twofold up`."
        )
    until_s = time.monotonic() + WAIT_S
    while not _answers(address):
        if time.monotonic() > until_s:
            raise SchedulerUnreachable(
                f"No Prefect server answers at {address}. Start one with `prefect server start`, or set "
                "PREFECT_API_URL."
            )
        log.info("Waiting for the Prefect server at %s", address)
        time.sleep(1)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health", timeout=5).status_code == _HTTP_OK
    except httpx.HTTPError:
        return False
