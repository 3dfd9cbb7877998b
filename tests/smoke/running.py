"""A Twofold that runs on free ports, with data of its own, for as long as it is needed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

STOPS_WITHIN_S = 60.0
_GRACE_S = 50.0
_LAST_WORDS = 3_000


class Running:
    """A system: `twofold up` on four free ports with its data in `folder`, and what is replayed into it.

    It is a context manager.

    Args:
        folder: where its data and logs go.
        first: the capture that `twofold up` itself replays, at once.
        environment: settings beside ports and folders.
    """

    least_replay_s = 0.0
    """Time that a replay takes at least, for some publications to come meanwhile."""

    def __init__(self, folder: Path, first: Path, environment: Mapping[str, str]) -> None:
        kafka, prefect, speed, serving = free_ports(4)
        self.brokers = f"127.0.0.1:{kafka}"
        self.topic = "trades"
        self.serving_url = f"http://127.0.0.1:{serving}"
        self.prefect_url = f"http://127.0.0.1:{prefect}/api"
        self.left_behind: list[str] = []
        self._folder = folder
        self._first = first
        self._settings: Mapping[str, str] = {
            "TWOFOLD_DATA_FOLDER": str(folder / "data"),
            "TWOFOLD_KAFKA_PORT": str(kafka),
            "TWOFOLD_PREFECT_PORT": str(prefect),
            "TWOFOLD_SPEED_ADDRESS": f"127.0.0.1:{speed}",
            "TWOFOLD_SERVING_ADDRESS": f"127.0.0.1:{serving}",
            **environment,
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ending: set[str] = set()

    def replay(self, path: Path, speed: float) -> None:
        """Start to replay a capture, `speed` times as fast as it was recorded."""
        self.send(path, f"{speed:.6f}", self._settings)

    def send(self, path: Path, speed: str, environment: Mapping[str, str]) -> None:
        """Start to send the trades of a file, with these settings."""
        self._start(f"replay of {path.name}", twofold("replay", str(path), "--speed", speed), environment, ends=True)

    def kill(self, command: str) -> None:
        """Kill the part that is `twofold` with that command; it is started again."""
        for process in self._alive():
            if process.cmdline()[-1:] == [command]:
                process.kill()

    def wait_until(self, what: str, is_so: Callable[[], bool], seconds: float) -> None:
        """Wait for something.

        Raises:
            RuntimeError: it took too long, or a process failed meanwhile; with the last words.
        """
        deadline = time.monotonic() + seconds
        while not is_so():
            for name, process in self._processes.items():
                if process.poll() not in ((None, 0) if name in self._ending else (None,)):
                    raise RuntimeError(f"{name} ended with exit code {process.returncode}.\n{self._words()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{what} did not come within {seconds:.0f} s.\n{self._words()}")
            time.sleep(0.1)

    def bring_up(self) -> None:
        """Start all of it, and the replay of what is there from the start."""
        self._start("up", twofold("up", "--replay", str(self._first), "--speed", "max"), self._settings)

    def __enter__(self) -> Self:
        try:
            self.bring_up()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._processes:
            _, process = self._processes.popitem()
            process.terminate()
            try:
                process.wait(STOPS_WITHIN_S)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                process.kill()
                process.wait()
            if process.stdin is not None:
                process.stdin.close()
        for orphan in self._alive():
            with contextlib.suppress(psutil.NoSuchProcess):
                self.left_behind.append(f"{orphan.pid} {' '.join(orphan.cmdline())[:100]}")
                orphan.kill()

    def _start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        cwd: Path | None = None,
        ends: bool = False,
    ) -> None:
        inherited = {key: text for key, text in os.environ.items() if not key.startswith(("TWOFOLD_", "PREFECT_"))}
        # Under guard it ends with this process, also when that is killed.
        guarded = [sys.executable, "-m", "twofold.guard", "--grace", str(_GRACE_S), "--"]
        if ends:
            self._ending.add(name)
        with self._log(name).open("wb") as output:
            self._processes[name] = subprocess.Popen(
                [*guarded, *command],
                cwd=cwd,
                env={**inherited, **environment},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for this process, which then stops that one.
            )

    def _log(self, name: str) -> Path:
        return self._folder / f"{name.replace(' ', '-')}.log"

    def _words(self) -> str:
        return "\n".join(
            f"What {name} said last:\n{self._log(name).read_text(errors='replace')[-_LAST_WORDS:]}"
            for name in self._processes
        )

    def _alive(self) -> list[psutil.Process]:
        """Processes with this one's data folder in their environment, which nobody else hands out."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                folder = process.environ().get("TWOFOLD_DATA_FOLDER")
                if folder == self._settings["TWOFOLD_DATA_FOLDER"] and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found


def twofold(*arguments: str) -> tuple[str, ...]:
    """The command line of this project, in this Python."""
    return (sys.executable, "-m", "twofold", *arguments)


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nothing listens on now, all different."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def stop_on_sigterm() -> None:
    """Take SIGTERM as Ctrl-C, so that whatever was started is stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
