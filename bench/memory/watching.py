"""Watching a process: the memory that it has, the most that it had, and whether it works."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil

_LOOK_S = 0.2
_QUIET_S = 6.0
_IDLE_SHARE = 0.15
"""A process that waits for its next look takes less of a core than this, also on a busy machine."""


class Watched:
    """A process that is being watched."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._status = Path(f"/proc/{pid}/status")

    @property
    def resident_bytes(self) -> int:
        """Resident memory now."""
        return int(self._process.memory_info().rss)

    @property
    def peak_bytes(self) -> int:
        """The most resident memory that the process ever had, as the kernel counts it."""
        line = next(line for line in self._status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def wait_until_quiet(self, gives_up_s: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait until the process has hardly worked for some seconds.

        Raises:
            TimeoutError: it still works after so many seconds.
        """
        until_s = time.monotonic() + gives_up_s
        began_s, began_cpu_s = time.monotonic(), self._cpu_s()
        while time.monotonic() - began_s < _QUIET_S:
            time.sleep(_LOOK_S)
            meanwhile()
            if self._cpu_s() - began_cpu_s > _IDLE_SHARE * _QUIET_S:
                began_s, began_cpu_s = time.monotonic(), self._cpu_s()
            if time.monotonic() > until_s:
                raise TimeoutError(f"Process {self._process.pid} still works after {gives_up_s:.0f} s.")

    def _cpu_s(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)
