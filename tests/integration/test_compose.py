"""docker-compose.yml's own commands on this machine, word for word, with the environment that it gives them.

What changes is what a container changes: host names become addresses of loopback, folders lie in a temporary one. The
embedded Kafka and a Prefect server on SQLite stand in for the images of these names.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from eventually import eventually
from expositions import figures, read_exposition
from scheduling import PrefectServer, prefect_server

from twofold.port import free_port

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
WHOLE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = WHOLE["services"]
RUN = ["speed", "serving", "batch", "source"]
"""Our services but for those of a profile."""

INSIDE = "/var/lib/twofold"


class Host:
    """This machine in place of containers.

    Args:
        folder: in place of the volumes.
        brokers: where Kafka's stand-in answers.
        prefect: the stand-in of Prefect's server.
    """

    def __init__(self, folder: Path, brokers: str, prefect: PrefectServer) -> None:
        self.folder = folder
        self.serving, self.speed, self.metrics = (f"127.0.0.1:{free_port()}" for _ in range(3))
        self._prefect = prefect
        self._places = {
            "kafka:9092": brokers,
            "speed:18815": self.speed,
            "speed:18816": self.metrics,
            "serving:18080": self.serving,
            "0.0.0.0:18080": self.serving,
            "http://prefect:4200/api": prefect.url,
        }

    def environment(self, name: str) -> dict[str, str]:
        """What a service is given, as it is on this machine."""
        given: dict[str, str] = SERVICES[name]["environment"]
        inherited = {key: text for key, text in os.environ.items() if not key.startswith(("TWOFOLD_", "PREFECT_"))}
        quiet = {key: text for key, text in self._prefect.environment.items() if key.startswith("PREFECT_")}
        return inherited | quiet | {key: self._here(text) for key, text in given.items()}

    @contextmanager
    def runs(self, name: str) -> Iterator[None]:
        """Run a service; it is stopped in the end as its container would be."""
        program, *arguments = SERVICES[name]["command"]
        assert program == "twofold"
        with (self.folder / f"{name}.log").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "twofold", *arguments],
                cwd=ROOT,
                env=self.environment(name),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield
            assert process.poll() is None, (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        finally:
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()

    def ask(self, path: str, **parameters: str | int) -> dict[str, Any] | None:
        """What serving answers, if it does."""
        try:
            response = httpx.get(f"http://{self.serving}{path}", params=parameters, timeout=10)
        except httpx.HTTPError:
            return None
        answer: dict[str, Any] = response.json()
        return answer if response.is_success else None

    def _here(self, text: str) -> str:
        return self._places.get(text, text.replace(INSIDE, str(self.folder)))


@pytest.fixture(scope="module")
def host(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """All of our services, started in the order in which they wait for each other."""
    folder = tmp_path_factory.mktemp("compose")
    with prefect_server(tmp_path_factory.mktemp("prefect")) as prefect, ExitStack() as stack:
        running = Host(folder, kafka, prefect)
        for name in RUN:
            stack.enter_context(running.runs(name))
        yield running


def test_nothing_of_the_environment_names_what_is_not_here(host: Host) -> None:
    for name in RUN:
        ours = {key: text for key, text in host.environment(name).items() if key in SERVICES[name]["environment"]}
        assert all("127.0.0.1:" in text or text.startswith(str(host.folder)) for text in ours.values()), ours


def test_the_system_comes_to_an_answer_of_both_sides(host: Host) -> None:
    def merged() -> dict[str, Any] | None:
        answer = host.ask("/v1/views/bars", last=3)
        if answer is None or answer["receipt"]["sequence"] == 0 or answer["freshness"]["speed"] != "live":
            return None
        cut, positions = answer["receipt"]["cut"], answer["receipt"]["positions"]
        return answer if sum(positions.values()) > sum(cut.values()) > 0 else None

    answer = eventually(merged, within_s=240)
    assert sum(row["trades"] for row in answer["rows"]) > 0
    lanes = host.ask("/v1/lanes")
    assert lanes is not None
    assert all(lane["balanced"] for lane in lanes["lanes"])


def test_both_parts_of_the_live_side_tell_their_metrics_where_prometheus_asks(host: Host) -> None:
    told = {place: read_exposition(httpx.get(f"http://{place}/metrics").text) for place in (host.serving, host.metrics)}
    assert figures(told[host.serving], "twofold_speed_mode")["live",] == 1
    assert sum(figures(told[host.metrics], "twofold_worker_lane_position").values()) > 0
