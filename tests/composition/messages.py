"""Debian's Redis in place of its image: it takes the messages of Prefect's server."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from eventually import eventually

from composition.described import SERVICES
from twofold.port import free_port


class Messages:
    """A Redis server, by the command that the file has."""

    def __init__(self) -> None:
        self.port = free_port()

    @contextmanager
    def runs(self) -> Iterator[Messages]:
        """Run it on data of its own."""
        with tempfile.TemporaryDirectory() as folder:
            here = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", folder]
            process = subprocess.Popen([*SERVICES["redis"]["command"], *here], stdout=subprocess.DEVNULL)
            try:
                eventually(lambda: self.ask("ping") == "PONG")
                yield self
            finally:
                process.terminate()
                process.wait(timeout=60)

    def ask(self, *command: str) -> str:
        """What redis-cli prints for a command; nothing where it failed."""
        asking = ["redis-cli", "-p", str(self.port), *command]
        return subprocess.run(asking, capture_output=True, text=True, check=False).stdout.strip()


def installed_messages() -> Messages | None:
    """The one that is installed here, if there is one."""
    return Messages() if shutil.which("redis-server") else None
