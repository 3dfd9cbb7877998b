"""The keeper: starts each part when what it needs is ready, and notices what becomes of the parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from twofold.supervision.part import Part

State = Literal["waiting", "starting", "running", "restarting", "finished"]

_FIRST_PAUSE_S = 2.0
_LONGEST_PAUSE_S = 30.0
_OVER = ("BACKOFF", "EXITED", "FATAL")


class Processes(Protocol):
    """What the keeper needs of a supervisor."""

    def launch(self, name: str) -> None:
        """Start a part that does not run."""

    def processes(self) -> Mapping[str, Mapping[str, Any]]:
        """What is known of each part's process, as supervisord puts it."""

    def log(self, name: str) -> Path:
        """Where a part's output goes."""


@dataclass(frozen=True)
class Status:
    """How a part is doing. `pid` and `uptime_s` are None while it has no process."""

    name: str
    state: State
    pid: int | None
    uptime_s: float | None
    restarts: int


class Keeper:
    """Looks after parts, one `step` at a time.

    Args:
        parts: all of them, in the order in which they are shown.
        supervisor: what starts and restarts their processes.
        clock_s: a monotonic clock, in seconds.
    """

    def __init__(self, parts: Sequence[Part], supervisor: Processes, clock_s: Callable[[], float]) -> None:
        self._supervisor = supervisor
        self._clock_s = clock_s
        self._kept = [_Kept(part) for part in parts]

    def step(self) -> tuple[list[Status], list[str]]:
        """Look at every part and start what can be started now.

        Returns:
            how all parts are doing, and what has happened since the last step, a sentence each.
        """
        processes = self._supervisor.processes()
        happened = [line for kept in self._kept for line in self._look(kept, processes[kept.part.name])]
        ready = {kept.part.name for kept in self._kept if kept.ready}
        for kept in self._kept:
            if (
                kept.launch_at_s is not None
                and kept.launch_at_s <= self._clock_s()
                and ready.issuperset(kept.part.needs)
            ):
                self._supervisor.launch(kept.part.name)
                kept.launch_at_s = None
        return [kept.status for kept in self._kept], happened

    def _look(self, kept: _Kept, process: Mapping[str, Any]) -> Iterator[str]:
        """Note how a part is doing, and yield what has happened to it."""
        before = kept.status
        died = kept.note(process)
        name, state = kept.part.name, kept.status.state
        if state == "finished":
            if before.state != "finished":
                yield f"{name} has finished"
            return
        if died:
            yield f"{name} has died and is started again; its last words are in {self._supervisor.log(name)}"
            if not kept.part.endless:
                pause_s = min(_FIRST_PAUSE_S * 2**kept.status.restarts, _LONGEST_PAUSE_S)
                kept.launch_at_s = self._clock_s() + pause_s
        if state == "running" and (died or before.state != "running"):
            yield f"{name} is running, process {kept.status.pid}"


class _Kept:
    """One part and what was last seen of it."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.ready = False
        self.launch_at_s: float | None = 0.0
        self.status = Status(part.name, "waiting", None, None, 0)
        self._started = 0
        self._alive = False
        self._runs = 0

    def note(self, process: Mapping[str, Any]) -> bool:
        """Note the state of the part's process, and tell whether one has ended since the last time.

        Starts are at least a second apart, so that supervisord's start time tells one run from the next.
        """
        began = process["start"] != self._started
        over = process["statename"] in _OVER
        died = self._alive and (began or over)
        if began:
            self._started = process["start"]
            self._runs += 1
            self.ready = False
        self._alive = self._runs > 0 and not over
        self.ready = self._alive and (self.ready or self._is_ready(process))
        self.status = Status(
            name=self.part.name,
            state=self._state(process),
            pid=process["pid"] if self._alive else None,
            uptime_s=float(process["now"] - process["start"]) if self._alive else None,
            restarts=max(0, self._runs - 1),
        )
        return died or (began and over)

    def _is_ready(self, process: Mapping[str, Any]) -> bool:
        return self.part.is_ready() if self.part.is_ready else process["statename"] == "RUNNING"

    def _state(self, process: Mapping[str, Any]) -> State:
        if not self._runs:
            return "waiting"
        if self._alive:
            return "running" if self.ready else "starting"
        well = process["statename"] == "EXITED" and process["exitstatus"] == 0 and not self.part.endless
        return "finished" if well else "restarting"
