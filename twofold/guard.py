"""A program that runs a command for as long as its own parent lives.

    python -m twofold.guard [--grace SECONDS] -- COMMAND [ARGUMENT …]

The parent holds the other end of the guard's standard input. When that closes, which it does however the parent ends,
or when the guard gets SIGTERM, SIGINT or SIGHUP, the command's process group is asked to stop (SIGTERM); it is killed
after the grace, or at the second signal. A guard that leads a session also clears away what the command has left in
other process groups of the session. The guard ends when all is gone, with the command's exit code, or 128 + the
number of the signal that ended the command.

On Linux the command is asked to stop as well when the guard itself is killed. The command reads nothing from standard
input, and Ctrl-C in a terminal does not reach it: whoever holds the guard decides when to stop.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO

import psutil

GRACE_S = 10.0
"""Seconds between asking the command to stop and killing it."""

_ASKED_TO_STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_SESSION_GRACE_S = 3.0
_TICK_S = 0.05
_PR_SET_PDEATHSIG = 1


def start(
    command: Sequence[str],
    *,
    grace_s: float = GRACE_S,
    lead_session: bool = False,
    output: IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` under a guard and return the guard's process, to be ended by `stop`.

    `output` takes standard output and error of both; None leaves them as they are, as it does the environment.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "twofold.guard", "--grace", str(grace_s), "--", *command],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        env=environment,
        start_new_session=lead_session,
        process_group=None if lead_session else 0,
    )


def stop(process: subprocess.Popen[bytes]) -> int:
    """Have a guard stop its command, wait for that and return the exit code; an interruption kills the command."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise


class Guard:
    """One command under guard."""

    def __init__(self, command: Sequence[str], grace_s: float) -> None:
        self._command = command
        self._grace_s = grace_s
        self._kill_at: float | None = None

    def run(self) -> int:
        """Run the command until it ends or is stopped, and return its exit code."""
        with _signals() as signals, selectors.SelectSelector() as selector:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                process_group=0,
                preexec_fn=_stop_with_parent(),  # noqa: PLW1509 - there is one thread only
            )
            selector.register(signals, selectors.EVENT_READ)
            selector.register(0, selectors.EVENT_READ)
            while process.poll() is None:
                self._wait(selector, signals, process.pid)
            _signal_group(process.pid, signal.SIGKILL)
            if os.getsid(0) == os.getpid():
                _clear_session(grace_s=0.0 if self._is_late() else _SESSION_GRACE_S)
        return process.returncode if process.returncode >= 0 else 128 - process.returncode

    def _wait(self, selector: selectors.BaseSelector, signals: int, group: int) -> None:
        """Wait for events and act on them."""
        for key, _ in selector.select(None if self._kill_at is None else _TICK_S):
            received = os.read(key.fd, 4096)
            if key.fd == signals:
                for _ in range(sum(number in _ASKED_TO_STOP for number in received)):
                    self._stop(group)
            elif not received:
                selector.unregister(key.fd)
                self._stop(group)
        if self._is_late():
            _signal_group(group, signal.SIGKILL)

    def _stop(self, group: int) -> None:
        """Ask the command to stop; when asked again, leave it no more time."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._grace_s
            _signal_group(group, signal.SIGTERM)
        else:
            self._kill_at = time.monotonic()

    def _is_late(self) -> bool:
        return self._kill_at is not None and time.monotonic() >= self._kill_at


@contextlib.contextmanager
def _signals() -> Iterator[int]:
    """Yield a file descriptor from which the numbers of arriving signals can be read, a byte each."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (*_ASKED_TO_STOP, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(-1)
        os.close(reading)
        os.close(writing)


def _stop_with_parent() -> Callable[[], None] | None:
    """Return what the command's process does before it becomes the command, so that it outlives no killed guard."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    guard = os.getpid()

    def stop_with_parent() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != guard:
            os.kill(os.getpid(), signal.SIGTERM)

    return stop_with_parent


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of zombies
        os.killpg(group, number)


def _clear_session(grace_s: float) -> None:
    """Stop whatever else is left of this session: ask, and kill after the grace."""
    kill_at = time.monotonic() + grace_s
    asked: set[psutil.Process] = set()
    while left := _others_of_session():
        late = time.monotonic() >= kill_at
        for process in left if late else left - asked:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL if late else signal.SIGTERM)
        asked |= left
        time.sleep(_TICK_S)


def _others_of_session() -> set[psutil.Process]:
    session, others = os.getsid(0), set()
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            of_session = process.pid != os.getpid() and os.getsid(process.pid) == session
            if of_session and process.status() != psutil.STATUS_ZOMBIE:
                others.add(process)
    return others


def main() -> int:
    """Read the command line and run the command under guard."""
    parser = argparse.ArgumentParser(
        prog="python -m twofold.guard", description="Run a command while the parent lives."
    )
    parser.add_argument(
        "--grace", type=float, default=GRACE_S, metavar="SECONDS", help="time between SIGTERM and SIGKILL"
    )
    parser.add_argument("command", nargs="+", help="the command and its arguments, after --")
    options = parser.parse_args()
    try:
        return Guard(options.command, options.grace).run()
    except (FileNotFoundError, PermissionError) as error:
        parser.exit(127, f"{options.command[0]} cannot be run: {error}\n")


if __name__ == "__main__":
    sys.exit(main())
