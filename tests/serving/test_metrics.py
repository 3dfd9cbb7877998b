"""What serving tells Prometheus, over one small market."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from eventually import eventually
from expositions import figure, figures, read_exposition
from prometheus_client import Metric as Exposed
from served import Served, served
from small_market import LANES, SmallMarket, time_us

from serving.metrics.collector import METRICS, MODES
from serving.metrics.requests import METRICS as OF_REQUESTS


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> SmallMarket:
    """A publication with a dead letter and two gaps, a repeat, and live trades on top."""
    market = SmallMarket(tmp_path_factory.mktemp("market"))
    market.trade("10:00:10", trade_id=1)
    market.trade("10:20:00", trade_id=4)
    market.trade("10:20:00", trade_id=4)
    market.trade("10:01:02", symbol="ETHUSDT", lane=1, trade_id=1)
    market.poison(lane=1)
    market.cycle()
    market.trade("10:21:30.5", trade_id=6)
    return market


@pytest.fixture(scope="module")
def api(market: SmallMarket) -> Iterator[Served]:
    with market.live_side() as address, served(market.lake, address) as api:
        eventually(lambda: api.is_ready() and api.bars()["freshness"]["lag_records"] == 0)
        yield api


@pytest.fixture
def told(api: Served) -> dict[str, Exposed]:
    return metrics_of(api)


def metrics_of(api: Served) -> dict[str, Exposed]:
    response = api.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return read_exposition(response.text)


def test_every_metric_that_is_declared_is_told_and_no_other(told: dict[str, Exposed]) -> None:
    declared = {metric.name: (metric.kind, metric.meaning) for metric in (*METRICS, *OF_REQUESTS)}
    assert {
        name: (one.type, one.documentation) for name, one in told.items() if name.startswith("twofold_")
    } == declared


def test_figures_are_told_apart_by_the_labels_that_are_declared(told: dict[str, Exposed]) -> None:
    for metric in METRICS:
        assert {tuple(sorted(sample.labels)) for sample in told[metric.name].samples} <= {tuple(sorted(metric.labels))}


def test_the_process_tells_what_it_takes(told: dict[str, Exposed]) -> None:
    assert figure(told, "process_resident_memory_bytes") > 0


def test_the_publication_is_told_with_its_age(told: dict[str, Exposed]) -> None:
    assert figure(told, "twofold_publication_sequence") == 1
    made_at = datetime.fromtimestamp(figure(told, "twofold_publication_timestamp_seconds"), UTC)
    assert timedelta(0) < datetime.now(UTC) - made_at < timedelta(hours=1)
    assert figure(told, "twofold_lake_up") == 1


def test_of_the_modes_of_the_speed_side_one_is_so(told: dict[str, Exposed]) -> None:
    assert figures(told, "twofold_speed_mode") == {(mode,): float(mode == "live") for mode in MODES}
    heard_at = datetime.fromtimestamp(figure(told, "twofold_speed_heard_timestamp_seconds"), UTC)
    assert timedelta(0) <= datetime.now(UTC) - heard_at < timedelta(minutes=5)


def test_freshness_is_told_by_venue_and_symbols_are_only_counted(told: dict[str, Exposed]) -> None:
    assert figure(told, "twofold_newest_event_timestamp_seconds") == time_us("10:21:30.5") / 1e6
    assert figures(told, "twofold_newest_window_timestamp_seconds") == {("simulator",): time_us("10:21:00") / 1e6}
    assert figures(told, "twofold_markets") == {("simulator",): 2}
    assert figures(told, "twofold_active_markets") == {("simulator",): 1}
    assert figures(told, "twofold_watermark_timestamp_seconds") == {("simulator",): time_us("10:00:10") / 1e6}
    assert figures(told, "twofold_newest_arrival_timestamp_seconds") == {("simulator",): time_us("10:20:00") / 1e6}


def test_of_each_lane_it_is_told_how_far_it_has_come(told: dict[str, Exposed]) -> None:
    assert figures(told, "twofold_lane_position") == {(LANES[0],): 4, (LANES[1],): 2}
    assert figures(told, "twofold_lane_cut") == {(LANES[0],): 3, (LANES[1],): 2}
    assert figures(told, "twofold_lane_lag_records") == {(LANES[0],): 0, (LANES[1],): 0}
    assert figures(told, "twofold_lane_stalled") == {(LANES[0],): 0, (LANES[1],): 0}


def test_what_became_of_the_records_of_a_lane_adds_up_to_those_read(told: dict[str, Exposed]) -> None:
    fates = figures(told, "twofold_lane_records", "lane", "fate")
    assert {key: count for key, count in fates.items() if count} == {
        (LANES[0], "folded"): 3,
        (LANES[0], "duplicates"): 1,
        (LANES[1], "folded"): 1,
        (LANES[1], "dead_letters"): 1,
    }
    for (lane,), read in figures(told, "twofold_lane_read_records").items():
        assert sum(count for (of, _), count in fates.items() if of == lane) == read


def test_dead_letters_and_gaps_are_told_by_what_they_are(told: dict[str, Exposed]) -> None:
    assert figures(told, "twofold_dead_letters") == {("broken_json",): 1}
    states = {state: ("simulator", state) for state in ("open", "unusable", "lost")}
    gaps = figures(told, "twofold_gaps", "venue", "state")
    assert gaps == {states["open"]: 1, states["unusable"]: 0, states["lost"]: 0}
    assert figures(told, "twofold_missing_ids", "venue", "state") == {**gaps, states["open"]: 2}


def test_answers_are_counted_by_route_and_status_and_not_by_what_was_asked_for(api: Served) -> None:
    before = figures(metrics_of(api), "twofold_http_requests_total", "route", "status")
    for path in ("/v1/views/bars", "/v1/views/taker_flow", "/v1/views/nothing", "/nowhere", "/nowhere/else"):
        api.get(path)
    api.client.post("/v1/lanes")
    told = metrics_of(api)
    after = figures(told, "twofold_http_requests_total", "route", "status")
    asked = {key: count - before.get(key, 0) for key, count in after.items() if count > before.get(key, 0)}
    assert asked == {
        ("/v1/views/{view}", "200"): 2,
        ("/v1/views/{view}", "404"): 1,
        ("none", "404"): 2,
        ("/v1/lanes", "405"): 1,
        ("/metrics", "200"): 1,
    }
    counted = {
        sample.labels["route"]: sample.value
        for sample in told["twofold_http_request_duration_seconds"].samples
        if sample.name.endswith("_count")
    }
    assert counted == {
        route: sum(count for (of, _), count in after.items() if of == route) for route in {route for route, _ in after}
    }


def test_a_refusal_of_what_is_too_large_is_counted_too(api: Served) -> None:
    api.client.get("/healthz", headers={"x": "y" * 40_000})
    assert figures(metrics_of(api), "twofold_http_requests_total", "route", "status")["none", "431"] >= 1


def test_readers_of_streams_are_counted_while_they_read(api: Served) -> None:
    assert figure(metrics_of(api), "twofold_stream_readers") == 0
    with api.client.stream("GET", "/v1/views/bars/stream") as stream:
        lines = stream.iter_lines()
        next(lines)
        told = metrics_of(api)
        assert figure(told, "twofold_stream_readers") == 1
        assert figure(told, "twofold_stream_questions") == 1
    eventually(lambda: figure(metrics_of(api), "twofold_stream_readers") == 0)


def test_what_was_verified_is_told_from_the_start(told: dict[str, Exposed]) -> None:
    outcomes = figures(told, "twofold_verified_answers_total")
    assert outcomes == {("same",): 0, ("different",): 0, ("not_made",): 0}
    assert figure(told, "twofold_verification_waiting") == 0


def test_dead_letters_of_later_publications_are_counted_on(tmp_path: Path) -> None:
    market = SmallMarket(tmp_path)
    market.poison()
    market.cycle()
    with served(market.lake) as api:
        eventually(lambda: figures(metrics_of(api), "twofold_dead_letters") == {("broken_json",): 1})
        market.poison()
        market.broken("10:00:00", 7)
        market.cycle()
        wanted = {("broken_json",): 2.0, ("not_positive",): 1.0}
        eventually(lambda: figures(metrics_of(api), "twofold_dead_letters") == wanted)


def test_without_a_lake_all_metrics_are_named_and_the_lake_is_said_to_be_away(tmp_path: Path) -> None:
    market = SmallMarket(tmp_path)
    with served(type(market.lake)(str(tmp_path / "nowhere"))) as api:
        told = metrics_of(api)
        assert figure(told, "twofold_lake_up") == 0
        assert {metric.name for metric in METRICS} <= told.keys()
        assert figures(told, "twofold_publication_sequence") == {}


def test_metrics_are_compressed_where_that_is_welcome(api: Served) -> None:
    response: httpx.Response = api.client.get("/metrics", headers={"Accept-Encoding": "gzip"})
    assert response.headers["content-encoding"] == "gzip"
