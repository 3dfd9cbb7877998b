"""docker-compose.yml's own commands on this machine, word for word, with the environment that it gives them.

What changes is what a container changes: host names become loopback addresses, folders lie in a temporary one. The
embedded Kafka and a Prefect server stand in for the images of these names. Where there is a PostgreSQL of Debian, it is
that server's database; else it has SQLite.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from eventually import eventually
from expositions import figures, read_exposition
from scheduling import PrefectServer

from twofold.port import free_port, listens

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


class Database:
    """A PostgreSQL server with the user, password and database that the file names."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._given = {key: _filled(text) for key, text in SERVICES["postgres"]["environment"].items()}
        self._user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        self.port = free_port()

    @contextmanager
    def runs(self) -> Iterator[None]:
        """Run it on data of its own. It refuses to be root."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "password").write_text(self._given["POSTGRES_PASSWORD"], encoding="utf-8")
            for path in (folder, folder / "password"):
                if self._user:
                    shutil.chown(path, "postgres", "postgres")
            data = str(folder / "data")
            user = self._given["POSTGRES_USER"]
            self._do("initdb", "-D", data, "-U", user, "--pwfile", f"{name}/password", "--auth", "scram-sha-256")
            settings = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off")
            command = [self._programs / "postgres", "-D", data, "-p", str(self.port)]
            process = subprocess.Popen(
                [*command, *(word for setting in settings for word in ("-c", setting))],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                **self._user,
            )
            try:
                eventually(lambda: listens("127.0.0.1", self.port))
                eventually(lambda: self.ask("select 1", "postgres") == "1")
                self.ask(f"create database {self._given['POSTGRES_DB']}", "postgres")
                yield
            finally:
                process.terminate()
                process.wait(timeout=60)

    def ask(self, query: str, database: str | None = None) -> str:
        """What psql prints for a query; nothing where it failed."""
        name = database or self._given["POSTGRES_DB"]
        place = ["-h", "127.0.0.1", "-p", str(self.port), "-U", self._given["POSTGRES_USER"], "-d", name]
        return self._do("psql", "-tA", "-c", query, *place, check=False).strip()

    def _do(self, program: str, *arguments: str, check: bool = True) -> str:
        return subprocess.run(
            [self._programs / program, *arguments],
            cwd="/",
            env=os.environ | {"PGPASSWORD": self._given["POSTGRES_PASSWORD"]},
            capture_output=True,
            text=True,
            check=check,
            **self._user,
        ).stdout


def _filled(text: str) -> str:
    """A value with the passwords of .env.example in it."""
    example = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    return re.sub(r"\$\{(\w+):\?[^}]+\}", lambda found: example[found[1]], text)


@pytest.fixture(scope="module")
def database() -> Iterator[Database | None]:
    """In place of the image of PostgreSQL; None where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        yield None
        return
    running = Database(found[-1].parent)
    with running.runs():
        yield running


@pytest.fixture(scope="module")
def prefect(database: Database | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A Prefect server with the database that the file names, where there is one."""
    server = PrefectServer(tmp_path_factory.mktemp("prefect"))
    if database is not None:
        variable = "PREFECT_API_DATABASE_CONNECTION_URL"
        address = _filled(SERVICES["prefect"]["environment"][variable])
        server.environment[variable] = address.replace("postgres:5432", f"127.0.0.1:{database.port}")
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="module")
def host(kafka: str, prefect: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """All of our services, started in the order in which they wait for each other."""
    with ExitStack() as stack:
        running = Host(tmp_path_factory.mktemp("compose"), kafka, prefect)
        for name in RUN:
            stack.enter_context(running.runs(name))
        yield running


def test_nothing_of_the_environment_names_what_is_not_here(host: Host) -> None:
    for name in RUN:
        ours = {key: text for key, text in host.environment(name).items() if key in SERVICES[name]["environment"]}
        there = (INSIDE, "0.0.0.0", *(f"{service}:" for service in SERVICES))  # noqa: S104  # looked for, not bound
        assert [text for text in ours.values() if any(place in text for place in there)] == []


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


@pytest.mark.usefixtures("host")
def test_prefect_keeps_what_ran_in_postgresql(database: Database | None) -> None:
    if database is None:
        pytest.skip("There is no PostgreSQL in /usr/lib/postgresql: apt-get install -y postgresql")
    eventually(lambda: int(database.ask("select count(*) from flow_run where state_type = 'COMPLETED'") or 0) > 0)
