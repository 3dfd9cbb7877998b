"""A system that is brought up by the commands of docker-compose.yml, on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from composition.database import installed_database
from composition.described import SERVICES
from composition.host import Host, prefect_for
from composition.messages import installed_messages

from smoke.running import Running, twofold
from twofold.port import listens
from twofold.supervision.local_parts import split_address

_WITHIN_S = 180.0


class Composed(Running):
    """The services of docker-compose.yml, one after the other, as they wait for each other there.

    The embedded Kafka, a Prefect server and, where they are installed, PostgreSQL and Redis stand in for their images.
    """

    least_replay_s = 120.0  # the deployment of the file has a cycle every 15 s

    def __init__(self, folder: Path, first: Path, environment: Mapping[str, str]) -> None:
        super().__init__(folder, first, environment)
        (folder / "data").mkdir()
        self._stand_ins = ExitStack()

    def bring_up(self) -> None:
        """Start all services but the source, in whose place a capture is sent."""
        self._start("kafka", twofold("kafka"), self._settings)
        database, messages = (
            None if found is None else self._stand_ins.enter_context(found.runs())
            for found in (installed_database(), installed_messages())
        )
        prefect = prefect_for(self._folder, database, messages)
        self._start("prefect", prefect.command, prefect.environment)
        host = Host(self._folder / "data", self.brokers, prefect)
        self.serving_url, self.prefect_url = f"http://{host.serving}", prefect.url
        self.wait_until("Kafka", lambda: listens(*split_address(self.brokers)), _WITHIN_S)
        self.wait_until("Prefect", prefect.answers, _WITHIN_S)
        host.run("deployments")
        for name in ("worker", "speed", "serving"):
            self._start(name, SERVICES[name]["command"], host.environment(name), cwd=host.folder)
            if "healthcheck" in SERVICES[name]:
                self.wait_until(f"The health of {name}", lambda name=name: host.is_healthy(name), _WITHIN_S)  # type: ignore[misc]  # bound as it is now
        self._settings = host.environment("source")
        self.send(self._first, "max", self._settings)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stand_ins:
            super().__exit__(kind, error, trace)
