"""What the speed worker tells Prometheus."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from eventually import eventually
from expositions import figure, figures, read_exposition
from prometheus_client import Metric as Exposed
from small_market import LANES, ROOMY_BYTES, SmallMarket, time_us

from speed_layer.metrics import METRICS, telling_metrics
from twofold.port import free_port


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    market = SmallMarket(tmp_path)
    market.trade("10:00:10", trade_id=1)
    market.cycle()
    market.trade("10:00:11", trade_id=2)
    market.trade("10:00:11", trade_id=2)
    market.poison(lane=1)
    return market


@pytest.fixture
def address(market: SmallMarket) -> Iterator[str]:
    """Where a worker that runs tells its metrics."""
    worker, port = market.worker(), free_port()
    thread = threading.Thread(target=worker.run)
    with telling_metrics(worker, ROOMY_BYTES, "127.0.0.1", port):
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}/metrics"
        finally:
            worker.stop()
            thread.join()


def metrics_at(address: str) -> dict[str, Exposed]:
    return read_exposition(httpx.get(address).text)


def live(address: str) -> dict[str, Exposed]:
    """The metrics once the worker has come to the log's end."""

    def look() -> dict[str, Exposed] | None:
        told = metrics_at(address)
        lags = figures(told, "twofold_worker_lane_lag_records")
        state = figures(told, "twofold_worker_state")
        return told if state["live",] and lags and not any(lags.values()) else None

    return eventually(look)


def test_every_metric_that_is_declared_is_told_and_no_other(address: str) -> None:
    told = live(address)
    declared = {metric.name: (metric.kind, metric.meaning) for metric in METRICS}
    assert {
        name: (one.type, one.documentation) for name, one in told.items() if name.startswith("twofold_")
    } == declared
    for metric in METRICS:
        assert {tuple(sorted(sample.labels)) for sample in told[metric.name].samples} == {tuple(sorted(metric.labels))}


def test_they_tell_where_the_fold_stands_above_its_base(address: str) -> None:
    told = live(address)
    assert figure(told, "twofold_worker_base_sequence") == 1
    assert figure(told, "twofold_worker_bases") == 1
    assert figure(told, "twofold_worker_refuses_base") == 0
    assert figure(told, "twofold_worker_memory_limit_bytes") == ROOMY_BYTES
    assert figure(told, "twofold_worker_newest_event_timestamp_seconds") == time_us("10:00:11") / 1e6
    assert figures(told, "twofold_worker_lane_position") == {(LANES[0],): 3, (LANES[1],): 1}
    assert figures(told, "twofold_worker_lane_read_records") == {(LANES[0],): 2, (LANES[1],): 1}
    fates = figures(told, "twofold_worker_lane_records", "lane", "fate")
    assert {key: count for key, count in fates.items() if count} == {
        (LANES[0], "folded"): 1,
        (LANES[0], "duplicates"): 1,
        (LANES[1], "dead_letters"): 1,
    }


def test_they_follow_the_worker_to_the_next_base(market: SmallMarket, address: str) -> None:
    live(address)
    market.cycle()
    eventually(lambda: figure(metrics_at(address), "twofold_worker_base_sequence") == 2)


def test_a_worker_that_has_not_begun_names_all_metrics(market: SmallMarket) -> None:
    port = free_port()
    with telling_metrics(market.worker(), ROOMY_BYTES, "127.0.0.1", port):
        told = metrics_at(f"http://127.0.0.1:{port}/metrics")
    assert {metric.name for metric in METRICS} <= told.keys()
    assert set(figures(told, "twofold_worker_state").values()) == {0}
