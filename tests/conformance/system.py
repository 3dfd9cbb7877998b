"""The system under test: the processes of one seed, with data of their own, and the Kafka that all seeds share."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from oracle import OracleSource
from smoke.running import free_ports

from conformance.process import TESTS, Kafka, Process
from conformance.traffic import HOLE_AGE_S, SOURCES

FAULT = "CONFORMANCE_FAULT"
"""The environment variable that names a fault of `twin.faults` for the kit's wrapper to plant in every process."""


def environment(**settings: str) -> dict[str, str]:
    """The environment of a process with these settings of the product, and no others that happen to be set."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TWOFOLD_")}
    path = os.pathsep.join(filter(None, (str(TESTS), os.environ.get("PYTHONPATH"))))
    return inherited | {"PYTHONPATH": path} | {f"TWOFOLD_{name.upper()}": value for name, value in settings.items()}


def new_kafka(folder: Path) -> tuple[Kafka, str]:
    """A Kafka on a free port, not started yet, and its address."""
    (port,) = free_ports(1)
    folder.mkdir(parents=True)
    settings = environment(data_folder=str(folder), kafka_port=str(port))
    return Kafka(["kafka"], settings, folder / "kafka.log"), f"127.0.0.1:{port}"


class System:
    """Speed worker, serving and batch cycles of one seed.

    Attributes:
        lake: the lake's root.
        address: where serving listens.
        told: the file in which the wrapper says where it killed or halted itself.
        parts: what can be started, killed and paused, by name.
    """

    def __init__(self, folder: Path, lake: Path, kafka: Kafka, brokers: str, topic: str) -> None:
        speed, serving = free_ports(2)
        self.lake = lake
        self.address = ("127.0.0.1", serving)
        self.told = folder / "point.txt"
        self._folder = folder
        self._cycles = 0
        self._environment = environment(
            data_folder=str(folder),
            lake=str(lake),
            bootstrap_servers=brokers,
            topic=topic,
            speed_address=f"127.0.0.1:{speed}",
            serving_address=f"127.0.0.1:{serving}",
            hole_age_s=str(HOLE_AGE_S),
            quality_price_factor="1e18",  # prices are of chance alone here, and no cycle is to be held
            sources=json.dumps(_declared()),
        )
        self._planted = ["--fault", os.environ[FAULT]] if os.environ.get(FAULT) else []
        self.parts: Mapping[str, Process] = {
            "speed": self._process("speed"),
            "serving": self._process("serve"),
            "kafka": kafka,
        }

    def cycle(self, *options: str) -> Process:
        """A batch cycle that has just been started; with options, under the kit's wrapper."""
        self._cycles += 1
        process = self._process("cycle", options, f"cycle-{self._cycles}.log")
        process.start()
        return process

    def unforeseen(self) -> Iterator[str]:
        """What the speed worker and serving have written of errors that nobody foresaw, a line each."""
        for command, mark in (("speed", "ERROR speed_layer"), ("serve", "Following failed")):
            log = self._folder / f"{command}.log"
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
            for place, line in enumerate(lines):
                if mark in line:
                    traced = itertools.dropwhile(lambda after: after.startswith((" ", "Traceback")), lines[place + 1 :])
                    yield f"{command}: {next(traced, line)[:200]}"

    def stop(self) -> None:
        """Stop all of it but Kafka."""
        for name in ("serving", "speed"):
            self.parts[name].stop()

    def _process(self, command: str, options: Sequence[str] = (), log: str = "") -> Process:
        output = self._folder / (log or f"{command}.log")
        return Process([command], self._environment, output, [*self._planted, *options])


def _declared() -> dict[str, dict[str, str | float | None]]:
    """The oracle's sources as the product takes them."""
    return {
        name: {
            "venue": source.venue,
            "wire_format": source.wire_format,
            "ids": _kind(source),
            "collected_header": source.collected_header,
        }
        | ({} if source.horizon_s is None else {"horizon_s": source.horizon_s})
        for name, source in SOURCES.items()
    }


def _kind(source: OracleSource) -> str:
    if source.horizon_s is not None:
        return "opaque"
    return "contiguous" if source.contiguous else "unique"
