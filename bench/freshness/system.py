"""The system under test: the parts of `twofold up` on free ports, without a source."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from twofold.lake import Lake
from twofold.port import free_port
from twofold.publication import Publications, found_lake
from twofold.settings import Settings, load_settings
from twofold.sources.writer import wait_for_topic
from twofold.supervision.keeper import Keeper, Status
from twofold.supervision.local_parts import local_environment, local_parts, serving_url
from twofold.supervision.supervisor import Supervisor

_STARTED_WITHIN_S = 180.0
_LOOK_S = 0.5
_SHOWN_LINES = 15


class NotReady(Exception):
    """The system did not become ready in time; the message says how its parts are doing."""


class System:
    """A running system."""

    def __init__(self, settings: Settings, keeper: Keeper) -> None:
        self.settings = settings
        self._keeper = keeper

    def wait_until(self, what: str, reached: Callable[[], bool]) -> None:
        """Look after the parts until something is reached.

        Raises:
            NotReady: it took too long.
        """
        gives_up_s = time.monotonic() + _STARTED_WITHIN_S
        while True:
            statuses, happened = self._keeper.step()
            for line in happened:
                print(f"  {line}", flush=True)
            if reached():
                return
            if time.monotonic() > gives_up_s:
                raise NotReady(f"Still not {what} after {_STARTED_WITHIN_S:.0f} s.\n" + self._words(statuses))
            time.sleep(_LOOK_S)

    def wait_for_topic(self) -> None:
        """Wait until trades can be sent.

        Raises:
            NotReady: it took too long.
        """
        print("Starting Kafka, Prefect, the batch flows, the speed worker and serving …", flush=True)
        self.wait_until("listening", self.listens)
        wait_for_topic(self.settings.brokers, self.settings.topic, self.settings.partitions, tell=print)

    def wait_for_answers(self) -> None:
        """Wait until trades that were sent are published, and answers are of both sides.

        Raises:
            NotReady: it took too long.
        """
        self.wait_until("published", lambda: self.sequence() > 0)
        self.wait_until("live", self.is_live)

    def _words(self, statuses: list[Status]) -> str:
        """Say how each part is doing, with the last words of those that do not run well."""
        lines = [f"{status.name}: {status.state}, {status.restarts} restarts" for status in statuses]
        for status in statuses:
            log = self.settings.data_folder / "logs" / f"{status.name}.log"
            if (status.state != "running" or status.restarts) and log.exists():
                lines += [
                    f"Last words of {status.name}:",
                    *log.read_text(errors="replace").splitlines()[-_SHOWN_LINES:],
                ]
        return "\n".join(lines)

    def restarts(self) -> int:
        """Count how many times a part had to be started again."""
        return sum(status.restarts for status in self._keeper.step()[0])

    def cpu_s(self) -> dict[str, float]:
        """Tell the processor seconds that each part has used so far, by its name; ended children are in it."""
        used: dict[str, float] = {}
        for status in self._keeper.step()[0]:
            if status.pid is not None:
                tree = [psutil.Process(status.pid), *psutil.Process(status.pid).children(recursive=True)]
                used[status.name] = sum(_cpu_s(process) for process in tree)
        return used

    def listens(self) -> bool:
        """Whether Kafka can be talked to."""
        return any(status.name == "kafka" and status.state == "running" for status in self._keeper.step()[0])

    def is_live(self) -> bool:
        """Whether serving answers from batch and live together."""
        try:
            return httpx.get(f"{serving_url(self.settings)}/readyz", timeout=5).is_success
        except httpx.HTTPError:
            return False

    def sequence(self) -> int:
        """The newest publication."""
        return Publications(Lake(self.settings.lake_root)).newest().sequence


def _cpu_s(process: psutil.Process) -> float:
    try:
        return sum(process.cpu_times()[:4])
    except psutil.NoSuchProcess:
        return 0.0


@contextmanager
def running_system(folder: Path, environment: dict[str, str]) -> Iterator[System]:
    """Start the parts in a folder, with these settings besides the ports, and stop them at the end."""
    os.environ |= environment | {
        "TWOFOLD_DATA_FOLDER": str(folder),
        "TWOFOLD_KAFKA_PORT": str(free_port()),
        "TWOFOLD_PREFECT_PORT": str(free_port()),
        "TWOFOLD_SPEED_ADDRESS": f"127.0.0.1:{free_port()}",
        "TWOFOLD_SERVING_ADDRESS": f"127.0.0.1:{free_port()}",
    }
    settings = load_settings()
    found_lake(Lake(settings.lake_root))
    parts = [part for part in local_parts(settings, []) if part.name != "source"]
    with Supervisor(parts, folder / "run", folder / "logs", local_environment(settings, os.environ)) as supervisor:
        yield System(settings, Keeper(parts, supervisor, time.monotonic))
