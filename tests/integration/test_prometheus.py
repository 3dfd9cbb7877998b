"""A real Prometheus that reads a serving API and a speed worker that run, by the configuration and rules of deploy/."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from eventually import eventually
from served import served
from small_market import ROOMY_BYTES, SmallMarket

from serving.metrics.collector import METRICS as OF_SERVING
from serving.metrics.requests import METRICS as OF_REQUESTS
from speed_layer.flight import SpeedServer
from speed_layer.metrics import METRICS as OF_WORKER
from speed_layer.metrics import telling_metrics
from twofold.port import free_port

pytestmark = pytest.mark.integration

DEPLOYED = Path(__file__).parents[2] / "deploy" / "prometheus"


class Prometheus:
    """A Prometheus that runs, asked over its API."""

    def __init__(self, address: str) -> None:
        self._client = httpx.Client(base_url=address, timeout=10)

    def is_ready(self) -> bool:
        try:
            return self._client.get("/-/ready").is_success
        except httpx.HTTPError:
            return False

    def ask(self, path: str, **parameters: str) -> Any:  # noqa: ANN401  # JSON
        answer = self._client.get(f"/api/v1/{path}", params=parameters).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def figures(self, query: str) -> list[float]:
        return [float(found["value"][1]) for found in self.ask("query", query=query)["result"]]


@contextmanager
def prometheus(folder: Path, serving: str, speed: str) -> Iterator[Prometheus]:
    """Run one with the configuration that is deployed, but for the addresses and for how often it reads."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("There is no prometheus on the path: apt-get install -y prometheus")
    configuration = yaml.safe_load((DEPLOYED / "prometheus.yml").read_text(encoding="utf-8"))
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for job in configuration["scrape_configs"]:
        job["static_configs"] = [{"targets": [{"twofold-serving": serving, "twofold-speed": speed}[job["job_name"]]]}]
    shutil.copy(DEPLOYED / "rules.yml", folder)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    with (folder / "prometheus.log").open("wb") as output:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
            ],
            stdout=output,
            stderr=output,
        )
    try:
        running = Prometheus(f"http://{address}")
        eventually(running.is_ready)
        yield running
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SmallMarket, Prometheus]]:
    """A market with a publication and live trades, both parts of the live side, and a Prometheus that reads them."""
    market = SmallMarket(tmp_path_factory.mktemp("market"))
    market.trade("10:00:10")
    market.poison(lane=1)
    market.cycle()
    market.trade("10:00:11")
    worker, port = market.worker(), free_port()
    thread = threading.Thread(target=worker.run)
    with (
        SpeedServer("127.0.0.1:0", worker) as door,
        telling_metrics(worker, ROOMY_BYTES, "127.0.0.1", port),
        served(market.lake, f"127.0.0.1:{door.port}") as api,
    ):
        thread.start()
        try:
            eventually(api.is_ready)
            api.bars()
            place = f"127.0.0.1:{api.client.base_url.port}"
            with prometheus(tmp_path_factory.mktemp("prometheus"), place, f"127.0.0.1:{port}") as running:
                eventually(lambda: running.figures("sum(up)") == [2.0])
                yield market, running
        finally:
            worker.stop()
            thread.join()


def test_it_reads_both_parts_and_finds_every_metric_with_a_meaning(system: tuple[SmallMarket, Prometheus]) -> None:
    known = system[1].ask("metadata")
    for metric in (*OF_SERVING, *OF_REQUESTS, *OF_WORKER):
        assert [(one["type"], one["help"]) for one in known[metric.name]] == [(metric.kind, metric.meaning)]


def test_law_5_s_sum_can_be_seen_to_hold_in_prometheus(system: tuple[SmallMarket, Prometheus]) -> None:
    _, running = system
    sums = "sum by (job, instance, lane) (twofold_lane_records)"
    eventually(lambda: running.figures(f"sum({sums} == twofold_lane_read_records)") == [3.0])
    assert running.figures(f"{sums} != twofold_lane_read_records") == []


def test_what_is_published_and_folded_live_is_seen(system: tuple[SmallMarket, Prometheus]) -> None:
    market, running = system
    market.trade("10:00:12")
    sequence = market.cycle().sequence
    eventually(lambda: running.figures("twofold_publication_sequence") == [float(sequence)])
    eventually(lambda: running.figures("twofold_worker_base_sequence") == [float(sequence)])
    market.trade("10:00:13")
    eventually(lambda: running.figures("sum(twofold_lane_position)") == [5.0])


def test_answers_are_seen_with_their_times(system: tuple[SmallMarket, Prometheus]) -> None:
    route = 'route="/v1/views/{view}"'
    eventually(lambda: system[1].figures(f'sum(twofold_http_requests_total{{{route},status="200"}})') >= [1.0])
    (longest,) = system[1].figures(
        f"histogram_quantile(1, sum by (le) (twofold_http_request_duration_seconds_bucket{{{route}}}))"
    )
    assert longest > 0


def test_every_rule_can_be_evaluated_and_none_of_a_fault_fires(system: tuple[SmallMarket, Prometheus]) -> None:
    _, running = system

    def rules() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = running.ask("rules")["groups"][0]["rules"]
        return found

    eventually(lambda: all(rule["health"] == "ok" for rule in rules()))
    firing = {rule["name"] for rule in rules() if rule["state"] != "inactive"}
    assert firing <= {"TwofoldDataOld"}  # the market is of 2024, so its trades are old
