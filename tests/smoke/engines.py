"""Which engine does the cycles of a smoke run: what is set for it, what starts its runs, and who wrote the lake."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import httpx

_RUN_WITHIN_S = 300.0
_LOOK_EVERY_S = 0.5
_ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
_DEPLOYMENT = "batch-cycle/twofold"


class Engines(NamedTuple):
    """How cycles are done.

    Attributes:
        environment: settings of the system.
        replay_s: how long the replay takes; a JVM that starts for each cycle needs its time.
        in_turns: engines that runs are started by, one after the other; empty where the deployment's schedule does.
    """

    environment: dict[str, str]
    replay_s: float
    in_turns: tuple[str, ...] = ()

    @property
    def expected(self) -> set[str]:
        """The engines that must have written."""
        return set(self.in_turns) or {self.environment["TWOFOLD_ENGINE"]}


ENGINES = {
    "polars": Engines({"TWOFOLD_ENGINE": "polars", "TWOFOLD_CYCLE_INTERVAL_S": "3"}, 40.0),
    "spark": Engines({"TWOFOLD_ENGINE": "spark", "TWOFOLD_CYCLE_INTERVAL_S": "3"}, 160.0),
    "mixed": Engines({"TWOFOLD_CYCLE_INTERVAL_S": "3600"}, 160.0, ("spark", "polars")),
}


@contextmanager
def runs_in_turns(prefect_url: str, engines: tuple[str, ...]) -> Iterator[list[str]]:
    """Start runs of the deployment by engines in turns, each once the last has ended; gives those that failed."""
    failed: list[str] = []
    is_over = threading.Event()

    def run_all() -> None:
        with httpx.Client(base_url=prefect_url, timeout=30) as prefect:
            in_turns = cycle(engines)
            while not is_over.is_set():
                engine = next(in_turns)
                try:
                    ended = _run(prefect, engine, is_over)
                except httpx.HTTPError:  # Prefect is not there yet, or busy: what was not done, nobody wrote
                    is_over.wait(_LOOK_EVERY_S)
                    continue
                except TimeoutError as error:
                    ended = str(error)
                if ended != "COMPLETED" and not is_over.is_set():
                    failed.append(f"a cycle by {engine} ended otherwise: {ended}")

    running = threading.Thread(target=run_all, daemon=True)
    if engines:
        running.start()
    try:
        yield failed
    finally:
        is_over.set()
        if engines:
            running.join(_RUN_WITHIN_S)


def _run(prefect: httpx.Client, engine: str, is_over: threading.Event) -> str:
    found = prefect.get(f"/deployments/name/{_DEPLOYMENT}").raise_for_status().json()
    run = prefect.post(f"/deployments/{found['id']}/create_flow_run", json={"parameters": {"engine": engine}})
    run_id = run.raise_for_status().json()["id"]
    for _ in range(round(_RUN_WITHIN_S / _LOOK_EVERY_S)):
        state = str(prefect.get(f"/flow_runs/{run_id}").raise_for_status().json()["state"]["type"])
        if state in _ENDED or is_over.wait(_LOOK_EVERY_S):
            return state
    raise TimeoutError(f"it had not ended after {_RUN_WITHIN_S:.0f} s")


def commits_by_engine(lake: Path) -> Counter[str]:
    """Who wrote the commits of `trades` that added rows, by what Delta's log says."""
    written: Counter[str] = Counter()
    for commit in sorted((lake / "trades" / "_delta_log").glob("*.json")):
        actions = [json.loads(line) for line in commit.read_text().splitlines() if line]
        if any("add" in action for action in actions):
            info = next(action["commitInfo"] for action in actions if "commitInfo" in action)
            written["spark" if "Spark" in str(info.get("engineInfo", "")) else "polars"] += 1
    return written
