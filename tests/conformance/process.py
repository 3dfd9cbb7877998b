"""Processes of Twofold, each under guard, so that nothing of them outlives the kit; killed and paused by the system."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from twofold import guard

TESTS = Path(__file__).resolve().parents[1]
WITHIN_S = 120.0
_TICK_S = 0.005
_GRACE_S = 20.0


class Process:
    """One process, started from `start` on; it is the product's command, or the kit's wrapper around that.

    Args:
        arguments: of `twofold`.
        environment: all of its environment.
        output: where it writes to; what is there already stays.
        options: of the wrapper (`conformance.wrapper`); without any the product's command is run as it is.
    """

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], output: Path, options: Sequence[str] = ()
    ) -> None:
        self.arguments = arguments
        self._environment = environment
        self._output = output
        self._options = options
        self._guard: subprocess.Popen[bytes] | None = None
        self._process: psutil.Process | None = None
        self._begun_at = 0

    @property
    def started_at_s(self) -> float:
        """When the process itself, not its guard, began; Unix time."""
        assert self._process is not None
        return float(self._process.create_time())

    @property
    def words(self) -> str:
        """What it has written since it was started last."""
        return self._output.read_bytes()[self._begun_at :].decode(errors="replace")

    @property
    def runs(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._guard is not None and self._guard.poll() is None

    @property
    def is_halted(self) -> bool:
        """Whether the system keeps it from going on."""
        assert self._process is not None
        try:
            return self.runs and self._process.status() == psutil.STATUS_STOPPED
        except psutil.NoSuchProcess:  # its guard is about to notice
            return False

    def start(self) -> None:
        """Start it."""
        wrapped = ["conformance.wrapper", *self._options, "--"] if self._options else ["twofold"]
        self._begun_at = self._output.stat().st_size if self._output.exists() else 0
        with self._output.open("ab") as output:
            self._guard = guard.start(
                [sys.executable, "-m", *wrapped, *self.arguments],
                grace_s=_GRACE_S,
                output=output,
                environment=self._environment,
            )
        guarded = psutil.Process(self._guard.pid)
        deadline = time.monotonic() + WITHIN_S
        self._process = None
        while self._process is None and self._guard.poll() is None and time.monotonic() < deadline:
            self._process = next(iter(guarded.children()), None)
            time.sleep(_TICK_S)

    def kill(self) -> None:
        """Kill it at once, and wait until it is gone."""
        self._signal(signal.SIGKILL)
        self.wait()

    def pause(self) -> None:
        """Keep it from going on, wherever it is."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on after `pause`."""
        self._signal(signal.SIGCONT)

    def wait(self) -> int:
        """Wait for its end, and return its exit code; 128 and the signal's number if one ended it."""
        assert self._guard is not None
        return self._guard.wait(WITHIN_S)

    def wait_until_halted(self) -> bool:
        """Wait until it has halted itself; false if it ended instead."""
        while self.runs and not self.is_halted:
            time.sleep(_TICK_S)
        return self.runs

    def stop(self) -> None:
        """Have it stop, if it runs."""
        if self.runs:
            assert self._guard is not None
            self.go_on()
            guard.stop(self._guard)

    def descendant(self, name: str) -> psutil.Process:
        """The process of a program that it runs, however deep."""
        assert self._process is not None
        return next(child for child in self._process.children(recursive=True) if child.name() == name)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        try:
            self._process.send_signal(number)
        except psutil.NoSuchProcess:
            return


class Kafka(Process):
    """`twofold kafka`. It is the broker that is killed, and `twofold kafka` then ends by itself."""

    def wait_until_ready(self) -> None:
        """Wait until it says that it listens.

        Raises:
            RuntimeError: it ended instead, or it takes too long.
        """
        deadline = time.monotonic() + WITHIN_S
        while "Kafka listens on" not in self.words:
            if not self.runs or time.monotonic() > deadline:
                raise RuntimeError(f"Kafka did not start:\n{self.words}")
            time.sleep(_TICK_S)

    def kill(self) -> None:
        """Kill the broker at once."""
        self.descendant("java").kill()
        self.wait()
