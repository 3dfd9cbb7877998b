import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from twofold import guard

PARENT = """
import sys, time
from twofold import guard
held = guard.start(sys.argv[2:], lead_session=sys.argv[1] == "session")
time.sleep(600)
"""
SLEEPER = """
import os, signal, sys, time
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open(sys.argv[1] + ".new", "w") as written:
    written.write(str(os.getpid()))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
"""
SCATTERER = """
import subprocess, sys, time
for path in sys.argv[2:]:
    subprocess.Popen([sys.executable, "-c", sys.argv[1], path], process_group=0)
time.sleep(600)
"""

Found = TypeVar("Found")


def until(what: Callable[[], Found | None], seconds: float = 30.0) -> Found:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def process_of(path: Path) -> psutil.Process:
    until(path.exists)
    return psutil.Process(int(path.read_text()))


def has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def sleeper(path: Path, *words: str) -> list[str]:
    return [sys.executable, "-c", SLEEPER, str(path), *words]


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def test_the_exit_code_of_the_command_is_passed_on(started: list[subprocess.Popen[bytes]]) -> None:
    started.append(guard.start([sys.executable, "-c", "raise SystemExit(7)"]))
    assert started[0].wait() == 7


def test_a_command_that_a_signal_ended_gives_128_and_its_number(started: list[subprocess.Popen[bytes]]) -> None:
    started.append(guard.start([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]))
    assert started[0].wait() == 137


def test_a_command_that_does_not_exist_is_said_so(tmp_path: Path) -> None:
    output = tmp_path / "output"
    with output.open("wb") as written:
        held = guard.start(["no-such-command"], output=written)
    assert held.wait() == 127
    assert "no-such-command cannot be run" in output.read_text()


def test_sigterm_to_the_guard_stops_the_command(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    started.append(guard.start(sleeper(tmp_path / "pid")))
    command = process_of(tmp_path / "pid")
    started[0].terminate()
    assert started[0].wait() == 128 + signal.SIGTERM
    assert has_ended(command)


def test_a_deaf_command_is_killed_after_the_grace(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    started.append(guard.start(sleeper(tmp_path / "pid", "deaf"), grace_s=0.2))
    command = process_of(tmp_path / "pid")
    started[0].terminate()
    assert started[0].wait() == 128 + signal.SIGKILL
    assert has_ended(command)


def test_a_second_signal_kills_at_once(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    started.append(guard.start(sleeper(tmp_path / "pid", "deaf"), grace_s=3600))
    command = process_of(tmp_path / "pid")
    started[0].terminate()
    time.sleep(0.2)
    started[0].terminate()
    assert started[0].wait() == 128 + signal.SIGKILL
    assert has_ended(command)


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_the_command_stops_when_the_parent_ends(
    ending: signal.Signals, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    started.append(subprocess.Popen([sys.executable, "-c", PARENT, "group", *sleeper(tmp_path / "pid")]))
    command = process_of(tmp_path / "pid")
    held = psutil.Process(command.ppid())
    started[0].send_signal(ending)
    until(lambda: has_ended(command) and has_ended(held))


def test_what_the_command_has_started_in_its_group_goes_with_it(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    script = f"{sys.executable} -c '{SLEEPER}' {tmp_path / 'pid'} & exit 0"
    started.append(guard.start(["sh", "-c", script]))
    assert started[0].wait() == 0
    pid = tmp_path / "pid"
    assert not pid.exists() or has_ended(process_of(pid))


@pytest.mark.parametrize("words", [[], ["deaf"]], ids=["heeding", "deaf"])
def test_a_guard_that_leads_a_session_clears_away_other_groups(
    words: list[str], tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    paths = [tmp_path / "one", tmp_path / "two"]
    scatterer = [sys.executable, "-c", SCATTERER.replace("path]", f"path, *{words}]"), SLEEPER, *map(str, paths)]
    started.append(subprocess.Popen([sys.executable, "-c", PARENT, "session", *scatterer]))
    commands = [process_of(path) for path in paths]
    os.kill(started[0].pid, signal.SIGKILL)
    until(lambda: all(has_ended(command) for command in commands))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell a process that its parent was killed")
def test_the_command_stops_when_the_guard_itself_is_killed(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    started.append(guard.start(sleeper(tmp_path / "pid")))
    command = process_of(tmp_path / "pid")
    started[0].kill()
    until(lambda: has_ended(command))
