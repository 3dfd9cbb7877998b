"""Debian's PostgreSQL in place of its image."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eventually import eventually

from composition.described import given
from twofold.port import free_port, listens


class Database:
    """A PostgreSQL server with the user, password and database that the file names.

    Args:
        programs: the folder of its programs.
    """

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._given = given("postgres")
        self._user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        self.port = free_port()

    @contextmanager
    def runs(self) -> Iterator[Database]:
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
                yield self
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


def installed_database() -> Database | None:
    """The one that is installed here, if there is one."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Database(found[-1].parent) if found else None
