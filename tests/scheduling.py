"""A real Prefect server for tests, with files of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from eventually import eventually
from prefect.client.schemas.objects import State

from twofold.port import free_port
from twofold.settings import Settings
from twofold.supervision.local_parts import local_environment


class PrefectServer:
    """A Prefect server that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings(data_folder=folder, prefect_port=free_port())
        self.environment = local_environment(self.settings, os.environ)
        self.url = self.environment["PREFECT_API_URL"]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def command(self) -> list[str]:
        """What it is started by."""
        port = str(self.settings.prefect_port)
        return [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", port]

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.folder / "prefect.log").open("ab") as output:
            self._process = subprocess.Popen(
                self.command, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )
        eventually(self.answers, within_s=180)

    def answers(self) -> bool:
        """Whether it can be asked."""
        try:
            return httpx.get(f"{self.url}/health", timeout=5).is_success
        except httpx.HTTPError:
            return False

    def find(self, what: str, **criteria: object) -> list[dict[str, Any]]:
        """What the server keeps of a kind, such as `flow_runs`, as far as the criteria fit."""
        response = httpx.post(f"{self.url}/{what}/filter", json=criteria, timeout=60).raise_for_status()
        found: list[dict[str, Any]] = response.json()
        return found

    def tries(self, state: State[Any]) -> dict[str, int]:
        """How often each task of a run was tried, once the server has heard of the last."""
        run = str(state.state_details.flow_run_id)

        def look() -> dict[str, int] | None:
            runs = self.find("task_runs", flow_runs={"id": {"any_": [run]}})
            ended = all(run["end_time"] for run in runs)
            return {run["name"].rsplit("-", 1)[0]: run["run_count"] for run in runs} if ended else None

        return eventually(look)

    def kill(self) -> None:
        """Kill it."""
        assert self._process is not None
        os.killpg(self._process.pid, 9)
        self._process.wait()


@contextmanager
def prefect_server(folder: Path) -> Iterator[PrefectServer]:
    """Run a Prefect server."""
    server = PrefectServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
