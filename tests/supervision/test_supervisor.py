import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from twofold.errors import SupervisionError
from twofold.supervision.keeper import Keeper, Status
from twofold.supervision.part import Part
from twofold.supervision.supervisor import Supervisor

SLEEPS = (sys.executable, "-c", "import time; time.sleep(600)")
DEAF = (sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)")
DIES = (sys.executable, "-c", "raise SystemExit('out of luck')")
ENDS_WELL = (sys.executable, "-c", "print('all sent')")
HAS_A_CHILD = (sys.executable, "-c", "import subprocess; subprocess.run(['sleep', '600'])")
NOTES_ITS_END = (
    sys.executable,
    "-c",
    """
import signal, sys, time
def end(*_):
    open(sys.argv[1], 'a').write(sys.argv[2] + ' ')
    sys.exit()
signal.signal(signal.SIGTERM, end)
print('ready', flush=True)
time.sleep(600)
""",
)
HOLDS_A_SUPERVISOR = """
import json, os, sys, time
from pathlib import Path
from twofold.supervision.keeper import Keeper
from twofold.supervision.part import Part
from twofold.supervision.supervisor import Supervisor
commands = json.loads(sys.argv[2])
parts = [Part(name, tuple(command), stop_within_s=1, steady_after_s=1) for name, command in commands.items()]
folder = Path(sys.argv[1])
with Supervisor(parts, folder / "run", folder / "logs", os.environ) as supervisor:
    keeper = Keeper(parts, supervisor, time.monotonic)
    while True:
        statuses, _ = keeper.step()
        print(json.dumps([status.pid for status in statuses]), flush=True)
        time.sleep(0.2)
"""
ONLY_LINUX_TELLS = pytest.mark.skipif(
    sys.platform != "linux", reason="other systems do not tell a process that its parent was killed"
)


class Watched:
    """Parts under a real supervisor, stepped until something is so."""

    def __init__(self, parts: list[Part], supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.keeper = Keeper(parts, supervisor, time.monotonic)
        self.lines: list[str] = []
        self.statuses: dict[str, Status] = {}

    def until(self, what: Callable[[dict[str, Status]], bool], seconds: float = 60.0) -> dict[str, Status]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            statuses, happened = self.keeper.step()
            self.statuses = {status.name: status for status in statuses}
            self.lines += happened
            if what(self.statuses):
                return self.statuses
            time.sleep(0.1)
        raise AssertionError(f"it did not happen in time: {self.statuses} {self.lines}")


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    started: list[Supervisor] = []

    def start(*parts: Part) -> Watched:
        supervisor = Supervisor(parts, tmp_path / "run", tmp_path / "logs", os.environ)
        supervisor.start()
        started.append(supervisor)
        return Watched(list(parts), supervisor)

    yield start
    for supervisor in started:
        supervisor.stop()


def descendants() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def alive(processes: set[psutil.Process]) -> set[psutil.Process]:
    return {process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE}


def until_none(processes: set[psutil.Process], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while left := alive(processes):
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.05)


def test_a_part_that_stands_back_takes_the_time_that_others_leave(watch: Callable[..., Watched]) -> None:
    parts = Part("quiet", SLEEPS, stands_back=True, steady_after_s=1), Part("quick", SLEEPS, steady_after_s=1)
    statuses = watch(*parts).until(lambda now: all(now[part.name].state == "running" for part in parts))
    quiet, quick = (psutil.Process(statuses[part.name].pid) for part in parts)
    if shutil.which("chrt"):
        assert [os.sched_getscheduler(process.pid) for process in (quiet, quick)] == [os.SCHED_IDLE, os.SCHED_OTHER]
    else:
        assert quiet.nice() > quick.nice()
    assert quiet.cmdline()[1:] == list(SLEEPS[1:])


def test_a_killed_part_is_started_again_and_said_so(watch: Callable[..., Watched]) -> None:
    watched = watch(Part("steady", SLEEPS, steady_after_s=1))
    first = watched.until(lambda now: now["steady"].state == "running")["steady"]
    os.kill(first.pid or 0, signal.SIGKILL)
    again = watched.until(lambda now: now["steady"].restarts == 1 and now["steady"].state == "running")["steady"]
    assert again.pid != first.pid
    assert [line for line in watched.lines if "has died and is started again" in line and "steady.log" in line]


def test_a_part_that_dies_at_once_is_tried_again_with_pauses(watch: Callable[..., Watched]) -> None:
    watched = watch(Part("hapless", DIES))
    watched.until(lambda now: now["hapless"].restarts >= 2)
    assert watched.statuses["hapless"].state in ("starting", "restarting")
    assert "out of luck" in watched.supervisor.log("hapless").read_text()


def test_work_that_is_done_is_finished_and_not_started_again(watch: Callable[..., Watched]) -> None:
    watched = watch(Part("source", ENDS_WELL, endless=False), Part("steady", SLEEPS, steady_after_s=1))
    watched.until(lambda now: now["source"].state == "finished" and now["steady"].state == "running")
    assert watched.lines.count("source has finished") == 1
    assert watched.supervisor.log("source").read_text() == "all sent\n"


def test_work_that_failed_is_started_again_after_a_pause(watch: Callable[..., Watched]) -> None:
    watched = watch(Part("source", DIES, endless=False))
    watched.until(lambda now: now["source"].state == "restarting")
    watched.until(lambda now: now["source"].restarts == 1)
    assert any("source has died" in line for line in watched.lines)


def test_a_part_waits_until_what_it_needs_is_ready(watch: Callable[..., Watched], tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    watched = watch(Part("first", SLEEPS, is_ready=sign.exists), Part("second", SLEEPS, needs=("first",)))
    watched.until(lambda now: now["first"].pid is not None and (now["first"].uptime_s or 0) >= 2)
    assert watched.statuses["first"].state == "starting"
    assert watched.statuses["second"].state == "waiting"
    sign.touch()
    watched.until(lambda now: now["second"].pid is not None)


def test_parts_stop_in_the_reverse_order(watch: Callable[..., Watched], tmp_path: Path) -> None:
    ends = tmp_path / "ends"
    names = ["kafka", "speed", "source"]
    parts = [Part(name, (*NOTES_ITS_END, str(ends), name)) for name in names]
    watched = watch(*parts)
    watched.until(lambda _: all("ready" in _text(watched.supervisor.log(name)) for name in names))
    watched.supervisor.stop()
    assert ends.read_text().split() == names[::-1]


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_stopping_leaves_no_process_not_even_deaf_ones_and_children(watch: Callable[..., Watched]) -> None:
    before = descendants()
    watched = watch(
        Part("deaf", DEAF, stop_within_s=1, steady_after_s=1), Part("parent", HAS_A_CHILD, steady_after_s=1)
    )
    watched.until(lambda now: all(status.state == "running" for status in now.values()))
    started = descendants() - before
    assert len(started) >= 5
    watched.supervisor.stop()
    assert not alive(started)


def test_a_folder_has_one_supervisor(watch: Callable[..., Watched], tmp_path: Path) -> None:
    watch(Part("steady", SLEEPS))
    with pytest.raises(SupervisionError, match="TWOFOLD_DATA_FOLDER"):
        Supervisor([], tmp_path / "run", tmp_path / "logs", os.environ).start()


def test_any_folder_and_any_argument_will_do(tmp_path: Path) -> None:
    folder = tmp_path / "50% of #1 ;'" / ("deep" * 30)
    argument = "50% of #1 ;' \n ${HOME}"
    part = Part("echo", (sys.executable, "-c", "import sys; print(sys.argv[1])", argument), endless=False)
    with Supervisor([part], folder / "run", folder / "logs", os.environ) as supervisor:
        Watched([part], supervisor).until(lambda now: now["echo"].state == "finished")
        assert supervisor.log("echo").read_text() == f"{argument}\n"


@pytest.fixture
def sockets() -> Iterator[str]:
    """A folder for what a killed holder cannot remove, with a short name, since sockets are kept there."""
    with TemporaryDirectory() as folder:
        yield folder


@pytest.mark.parametrize(
    ("victim", "ending"),
    [
        ("holder", signal.SIGTERM),
        ("holder", signal.SIGKILL),
        pytest.param("guard", signal.SIGKILL, marks=ONLY_LINUX_TELLS),
        ("supervisord", signal.SIGKILL),
    ],
)
def test_no_process_is_left_when_one_of_the_chain_is_killed(
    victim: str, ending: signal.Signals, tmp_path: Path, sockets: str
) -> None:
    parts = json.dumps({"deaf": DEAF, "parent": HAS_A_CHILD})
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDS_A_SUPERVISOR, str(tmp_path), parts],
        env=os.environ | {"TMPDIR": sockets},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert holder.stdout is not None
        while None in json.loads(holder.stdout.readline()):
            pass
        chain = {"holder": psutil.Process(holder.pid)}
        (chain["guard"],) = chain["holder"].children()
        (chain["supervisord"],) = chain["guard"].children()
        started = set(chain["holder"].children(recursive=True))
        chain[victim].send_signal(ending)
        holder.stdout.close()
        until_none(started)
    finally:
        holder.kill()
        holder.wait()
