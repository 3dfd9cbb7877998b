"""Commit points: the instants around each Delta commit and each opening of a table, at which a writer may be held or die."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from deltalake import DeltaTable, write_deltalake

from twofold import lake

Hook = Callable[[str], None]
"""Called with what is about to happen or has just happened: `before write`, `after write`, `before restore` and so on."""

_hooks = threading.local()


class Crash(BaseException):
    """The process ends here: nothing after it runs, and nothing is tidied up."""


@contextmanager
def watched() -> Iterator[None]:
    """Make every way in which the product touches a table's log tell the hook of its thread, if there is one."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(lake, "write_deltalake", _told("write", write_deltalake)))
        stack.enter_context(patch.object(DeltaTable, "restore", _told("restore", DeltaTable.restore)))
        stack.enter_context(patch.object(DeltaTable, "create", _told("create", DeltaTable.create)))
        stack.enter_context(patch.object(lake.Lake, "open", _told("open", lake.Lake.open)))
        yield


@contextmanager
def telling(hook: Hook) -> Iterator[None]:
    """Have this thread's commit points told to `hook`, where they are watched."""
    _hooks.hook = hook
    try:
        yield
    finally:
        _hooks.hook = None


@contextmanager
def crash_at(number: int) -> Iterator[None]:
    """Crash at the n-th instant before or after a commit, counted from 0; raises nothing if there are not so many."""
    points = 0

    def hook(point: str) -> None:
        nonlocal points
        if not point.endswith("open"):
            points += 1
            if points > number:
                raise Crash(point)

    with watched(), telling(hook):
        try:
            yield
        except Crash:
            return


class Held:
    """A piece of work in a thread of its own that goes on from one commit point to the next only when it is told to."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.failure: BaseException | None = None
        self.points: list[str] = []
        self._work = work
        self._go = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._stopped.acquire()

    @property
    def ended(self) -> bool:
        """Whether the work has come to its end, good or bad."""
        return bool(self.points) and self.points[-1] == "end"

    def step(self) -> None:
        """Go on to the next commit point, or to the end."""
        if not self.ended:
            self._go.release()
            self._stopped.acquire()

    def step_to_end(self) -> None:
        """Go on to the end."""
        while not self.ended:
            self.step()

    def _run(self) -> None:
        self._hold("begin")
        try:
            with telling(self._hold):
                self._work()
        except Exception as error:  # noqa: BLE001  # kept for the test to look at
            self.failure = error
        self.points.append("end")
        self._stopped.release()

    def _hold(self, point: str) -> None:
        self.points.append(point)
        self._stopped.release()
        self._go.acquire()


def _told(what: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def told(*args: Any, **kwargs: Any) -> Any:
        hook: Hook | None = getattr(_hooks, "hook", None)
        if hook is None:
            return real(*args, **kwargs)
        hook(f"before {what}")
        result = real(*args, **kwargs)
        hook(f"after {what}")
        return result

    return told
