"""Metrics of the speed worker, at an HTTP address of their own: read, when asked for, from what it keeps anyway.

Nothing is counted on the way of records: what a fold shows for its readers has all figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import get_args

from prometheus_client import start_http_server

from speed_layer.reading import Reading
from speed_layer.worker import SpeedWorker
from twofold.lane import lags
from twofold.metrics import Family, Metric, by_lane, fates, read_records, registry_of
from twofold.speed_state import WorkerState

STATE = Metric("twofold_worker_state", "1 for what the fold that answers does now, 0 for the other states", ("state",))
BASE = Metric("twofold_worker_base_sequence", "Number of the publication that the fold that answers stands on")
BASES = Metric("twofold_worker_bases", "Bases that are held: two while the newest one catches up")
REFUSES = Metric(
    "twofold_worker_refuses_base", "1 where the newest publication is of another decoder and so refused, else 0"
)
NEWEST_EVENT = Metric(
    "twofold_worker_newest_event_timestamp_seconds", "Event time of the newest trade above the cut, Unix time"
)
POSITION = Metric("twofold_worker_lane_position", "Next offset of a lane to fold", ("lane",))
LAG = Metric("twofold_worker_lane_lag_records", "Records of a lane in the log that are not folded", ("lane",))
STALLED = Metric("twofold_worker_lane_stalled", "1 where the log has more of a lane and nothing comes of it", ("lane",))
READ = Metric("twofold_worker_lane_read_records", "Records of a lane that were read above the cut", ("lane",))
RECORDS = Metric("twofold_worker_lane_records", "What became of them: over the fates, they add up", ("lane", "fate"))
MEMORY = Metric("twofold_worker_memory_limit_bytes", "Resident memory at which reading pauses")

METRICS = (STATE, BASE, BASES, REFUSES, NEWEST_EVENT, POSITION, LAG, STALLED, READ, RECORDS, MEMORY)


class WorkerCollector:
    """Collects the metrics of `METRICS`. What is not known has no figure, but is named all the same."""

    def __init__(self, worker: SpeedWorker, memory_bytes: int) -> None:
        self._worker = worker
        self._memory_bytes = memory_bytes

    def collect(self) -> Iterator[Family]:
        """All figures; those of the fold that answers are of one instant."""
        readings = self._worker.readings
        ready = [sequence for sequence, reading in readings.items() if reading.ready_at_s is not None]
        yield BASES.told({(): len(readings)})
        yield REFUSES.told({(): float(self._worker.refuses)})
        yield MEMORY.told({(): self._memory_bytes})
        yield from _of_fold(readings[max(ready or readings)] if readings else None)


def _of_fold(reading: Reading | None) -> Iterator[Family]:
    snapshot = reading.fold.snapshot if reading else None
    newest_us = snapshot.newest_event_us if snapshot else None
    yield STATE.told(
        {(state,): float(reading is not None and reading.state == state) for state in get_args(WorkerState)}
    )
    yield BASE.told({(): reading.fold.base.sequence} if reading else {})
    yield NEWEST_EVENT.told({} if newest_us is None else {(): newest_us / 1e6})
    yield POSITION.told(by_lane(snapshot.positions) if snapshot else {})
    yield LAG.told(by_lane(lags(reading.ends, snapshot.positions)) if reading and snapshot else {})
    yield STALLED.told({(lane,): float(lane in reading.stalls.lanes) for lane in reading.ends} if reading else {})
    yield READ.told(read_records(snapshot.accounts) if snapshot else {})
    yield RECORDS.told(fates(snapshot.accounts) if snapshot else {})


@contextmanager
def telling_metrics(worker: SpeedWorker, memory_bytes: int, host: str, port: int) -> Iterator[None]:
    """Answer `GET /metrics` over HTTP, in threads of its own, as long as this lasts."""
    server, thread = start_http_server(port, host, registry_of(WorkerCollector(worker, memory_bytes)))
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
