"""Serving the flows as deployments from one process, without a work pool."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import ParamSpec, TypeVar

import httpx
from prefect import Flow, serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Cron, Interval, Schedule
from prefect.settings import PREFECT_API_URL

from flows.backfill import backfill
from flows.batch_cycle import batch_cycle
from flows.end_of_day import end_of_day
from flows.leftovers import Leftovers
from flows.maintain import maintain
from flows.verify_receipts import verify_receipts
from twofold.errors import SchedulerUnreachable
from twofold.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")

DEPLOYMENT = "twofold"
"""The name of each served deployment; full names are `batch-cycle/twofold` and so on."""

END_OF_DAY = "30 0 * * *"
"""When the day before is reported, by cron in UTC."""

VERIFICATION = "20 * * * *"
"""When answers are made again, by cron in UTC: each hour."""

MAINTENANCE = "40 * * * *"
"""When files are joined and removed, by cron in UTC: each hour."""

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
    Leftovers(DEPLOYMENT).start()
    serve(*deployments(settings), pause_on_shutdown=False, print_starting_message=False)


def deployments(settings: Settings) -> Iterator[RunnerDeployment]:
    """What is served; prefect.yaml has the same for a work pool."""
    interval = timedelta(seconds=settings.cycle_interval_s)
    yield _deployment(batch_cycle, Interval(interval), "Moves the published cut up to what the event log holds.")
    yield _deployment(
        end_of_day, Cron(END_OF_DAY, timezone="UTC"), "Makes bars, volatility and risk of the day before."
    )
    yield _deployment(
        verify_receipts, Cron(VERIFICATION, timezone="UTC"), "Makes answers again from their receipts, and compares."
    )
    yield _deployment(maintain, Cron(MAINTENANCE, timezone="UTC"), "Joins small files, and removes old ones.")
    yield _deployment(backfill, None, "Takes trades of files into the lake.")


def _deployment(flow: Flow[P, R], schedule: Schedule | None, description: str) -> RunnerDeployment:
    return RunnerDeployment.from_flow(
        flow,
        name=DEPLOYMENT,
        schedule=schedule,
        description=description,
        tags=["twofold"],
        concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW),
    )


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
