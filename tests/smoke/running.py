"""A Twofold that runs on free ports, with data of its own, for as long as it is needed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

STOPS_WITHIN_S = 60.0


class Running:
    """`twofold up` as a child process, on four free ports, its data in `folder`; also a context manager.

    Args:
        folder: where its data and logs go.
        arguments: of `twofold up`.
        cycle_interval_s: seconds between batch cycles.
    """

    def __init__(self, folder: Path, arguments: list[str], cycle_interval_s: float) -> None:
        kafka, prefect, speed, serving = free_ports(4)
        self.brokers = f"127.0.0.1:{kafka}"
        self.topic = "trades"
        self.serving_url = f"http://127.0.0.1:{serving}"
        self.log = folder / "up.log"
        self._command = [sys.executable, "-m", "twofold", "up", *arguments]
        inherited = {name: text for name, text in os.environ.items() if not name.startswith(("TWOFOLD_", "PREFECT_"))}
        self._environment = {
            **inherited,
            "TWOFOLD_DATA_FOLDER": str(folder / "data"),
            "TWOFOLD_KAFKA_PORT": str(kafka),
            "TWOFOLD_PREFECT_PORT": str(prefect),
            "TWOFOLD_SPEED_ADDRESS": f"127.0.0.1:{speed}",
            "TWOFOLD_SERVING_ADDRESS": f"127.0.0.1:{serving}",
            "TWOFOLD_CYCLE_INTERVAL_S": str(cycle_interval_s),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.left_behind: list[str] = []

    def check(self) -> None:
        """Raise RuntimeError with the last words if it has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            words = self.log.read_text(errors="replace")[-3000:]
            raise RuntimeError(f"`twofold up` ended with exit code {self._process.returncode}:\n{words}")

    def wait_until(self, what: str, is_so: Callable[[], bool], seconds: float) -> None:
        """Wait for something; raises RuntimeError when it takes too long or `twofold up` ends meanwhile."""
        deadline = time.monotonic() + seconds
        while not is_so():
            self.check()
            if time.monotonic() > deadline:
                words = self.log.read_text(errors="replace")[-3000:]
                raise RuntimeError(f"{what} did not happen within {seconds:.0f} s. What `twofold up` said:\n{words}")
            time.sleep(0.1)

    def __enter__(self) -> Self:
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the smoke, which then stops this one.
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        started = _descendants(process.pid)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOPS_WITHIN_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
            process.wait()
        _, left = psutil.wait_procs(started, timeout=5)
        for orphan in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                self.left_behind.append(f"{orphan.pid} {' '.join(orphan.cmdline())[:120]}")
                orphan.kill()
        psutil.wait_procs(left, timeout=5)


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nothing listens on now, all different."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _descendants(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children(recursive=True)
    return []
