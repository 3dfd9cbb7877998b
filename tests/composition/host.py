"""This machine in place of containers.

Commands and environments are those of docker-compose.yml, word for word. What changes is what a container changes:
host names become loopback addresses, folders lie in a temporary one. The embedded Kafka and a Prefect server stand in
for the images of these names; that server has its database and its messages where the file says, as far as what is
needed for that is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scheduling import PrefectServer

from composition.database import Database
from composition.described import ROOT, SERVICES, given
from composition.messages import Messages
from twofold.port import free_port

_INSIDE = "/var/lib/twofold"
_DATABASE = "PREFECT_API_DATABASE_CONNECTION_URL"


def prefect_for(folder: Path, database: Database | None, messages: Messages | None) -> PrefectServer:
    """A Prefect server as the file sets it up, not yet started; without what is not there, as it is by itself."""
    server = PrefectServer(folder)
    told = given("prefect")
    if database is not None:
        server.environment[_DATABASE] = told[_DATABASE].replace("postgres:5432", f"127.0.0.1:{database.port}")
    if messages is not None:
        here = {"PREFECT_REDIS_MESSAGING_HOST": "127.0.0.1", "PREFECT_REDIS_MESSAGING_PORT": str(messages.port)}
        server.environment |= {name: text for name, text in told.items() if "MESSAGING" in name} | here
    return server


class Host:
    """Runs services of the file.

    Args:
        folder: in place of the volumes and of the image's folder of work.
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
            "127.0.0.1:18080": self.serving,
            "http://prefect:4200/api": prefect.url,
            _INSIDE: str(folder),
        }
        shutil.copy(ROOT / "prefect.yaml", folder)  # as the image has it

    def environment(self, name: str) -> dict[str, str]:
        """What a service is given, as it is on this machine."""
        inherited = {key: text for key, text in os.environ.items() if not key.startswith(("TWOFOLD_", "PREFECT_"))}
        quiet = {key: text for key, text in self._prefect.environment.items() if key.startswith("PREFECT_")}
        here = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PWD": str(self.folder)}
        return inherited | quiet | here | {key: self._here(text) for key, text in given(name).items()}

    def is_healthy(self, name: str) -> bool:
        """Whether a service's own check of its health says so."""
        _, *check = map(self._here, SERVICES[name]["healthcheck"]["test"])
        return subprocess.run(check, env=self.environment(name), capture_output=True, check=False).returncode == 0

    def run(self, name: str) -> None:
        """Run a service that ends by itself, and see that it ends well."""
        ended = subprocess.run(
            SERVICES[name]["command"],
            cwd=self.folder,
            env=self.environment(name),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr

    @contextmanager
    def runs(self, name: str) -> Iterator[None]:
        """Run a service; it is stopped in the end as its container would be."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                SERVICES[name]["command"],
                cwd=self.folder,
                env=self.environment(name),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield
            assert process.poll() is None, log.read_text(encoding="utf-8", errors="replace")
        finally:
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()

    def _here(self, text: str) -> str:
        for place, here in self._places.items():
            text = text.replace(place, here)
        return text
