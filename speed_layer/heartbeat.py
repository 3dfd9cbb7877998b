"""The heartbeat of a speed worker, which Prefect hears as events. It takes nothing of the way of records.

A thread of its own reads what the fold shows anyway and sends it over HTTP, by Prefect's `POST /events`. Prefect itself
is not imported, for it would take more memory than many a fold. A beat that Prefect does not take is dropped: the next
one says more.
"""

from __future__ import annotations

import logging
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx

from speed_layer.worker import SpeedWorker
from twofold.clock import utc_now
from twofold.lane import lags
from twofold.prefect_events import HEARTBEAT, STATE, worker_resource

BEAT_S = 30.0
"""Seconds between beats."""

_TIMEOUT_S = 5.0

log = logging.getLogger(__name__)


class Heartbeat(threading.Thread):
    """Tells a Prefect server of a worker, until stopped.

    Args:
        worker: of whom.
        name: its number and that of the replica, such as `0.0`.
        topic: the event log's.
        api: the address of the server's API.
        headers: what the server lets this in by.
        every_s: seconds between beats.
    """

    def __init__(
        self, worker: SpeedWorker, name: str, topic: str, api: str, headers: Mapping[str, str], every_s: float = BEAT_S
    ) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._worker = worker
        self._resource = worker_resource(topic, name)
        self._api = api
        self._headers = headers
        self._every_s = every_s
        self._stopping = threading.Event()
        self._is_heard = True

    def run(self) -> None:
        """Beat until stopped."""
        with httpx.Client(headers=dict(self._headers), timeout=_TIMEOUT_S) as client:
            while not self._stopping.wait(self._every_s):
                try:
                    client.post(f"{self._api}/events", json=[self._beat()]).raise_for_status()
                except (httpx.HTTPError, httpx.InvalidURL) as error:
                    if self._is_heard:
                        log.warning("Prefect does not hear the heartbeat; folding goes on without: %r", error)
                    self._is_heard = False
                else:
                    self._is_heard = True

    def stop(self) -> None:
        """Ask it to end."""
        self._stopping.set()

    def _beat(self) -> dict[str, Any]:
        readings = self._worker.readings
        ready = [sequence for sequence, reading in readings.items() if reading.ready_at_s is not None]
        reading = readings[max(ready or readings)] if readings else None
        payload: dict[str, Any] = {"base": None, "lag_records": None, "newest_event_us": None}
        if reading is not None:
            snapshot = reading.fold.snapshot
            payload = {
                "base": reading.fold.base.sequence,
                "lag_records": sum(lags(reading.ends, snapshot.positions).values()),
                "newest_event_us": snapshot.newest_event_us,
            }
        state = "away" if reading is None else reading.state
        return {
            "id": str(uuid4()),
            "occurred": utc_now().isoformat(),
            "event": HEARTBEAT,
            "resource": {"prefect.resource.id": self._resource, STATE: state},
            "related": [],
            "payload": payload,
        }


@contextmanager
def beating(
    worker: SpeedWorker, name: str, topic: str, environment: Mapping[str, str], every_s: float = BEAT_S
) -> Iterator[None]:
    """Have a worker's heart beat as long as this lasts, if the environment names a Prefect server by PREFECT_API_URL.

    What lets clients in is Prefect's own: PREFECT_API_KEY, or PREFECT_API_AUTH_STRING.
    """
    api = environment.get("PREFECT_API_URL")
    if not api:
        yield
        return
    heartbeat = Heartbeat(worker, name, topic, api, _headers(environment), every_s)
    heartbeat.start()
    try:
        yield
    finally:
        heartbeat.stop()
        heartbeat.join(timeout=_TIMEOUT_S)


def _headers(environment: Mapping[str, str]) -> dict[str, str]:
    if key := environment.get("PREFECT_API_KEY"):
        return {"Authorization": f"Bearer {key}"}
    if pair := environment.get("PREFECT_API_AUTH_STRING"):
        return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
    return {}
