"""Commit points: the instants after each Delta commit and each opening of a table, where a writer is held or dies.

What happens between two of them leaves no trace outside the process, so that these are all instants that there are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal, ParamSpec, TypeVar
from unittest.mock import patch

from deltalake import DeltaTable, write_deltalake

from twofold import lake

Hook = Callable[[str], None]
"""Called with what has just happened: `write`, `restore` or `open`; or is about to: `create`."""

Moment = Literal["before", "after"]

P = ParamSpec("P")
Result = TypeVar("Result")

_hooks = threading.local()


class Crash(BaseException):
    """The process ends here: nothing after it runs, and nothing is tidied up."""


@contextmanager
def watched() -> Iterator[None]:
    """Make every way in which the product touches a table's log tell the hook of its thread, if there is one."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(lake, "write_deltalake", _telling_of("write", write_deltalake)))
        stack.enter_context(patch.object(lake.TableWriter, "compact", _telling_of("write", lake.TableWriter.compact)))
        stack.enter_context(patch.object(DeltaTable, "restore", _telling_of("restore", DeltaTable.restore)))
        stack.enter_context(patch.object(DeltaTable, "create", _telling_of("create", DeltaTable.create)))
        stack.enter_context(patch.object(lake.Lake, "open", _telling_of("open", lake.Lake.open)))
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
def crash_after(number: int) -> Iterator[None]:
    """Crash after so many commits; with 0 nothing is done at all, with more than there are nothing happens."""
    commits = 0

    def hook(point: str) -> None:
        nonlocal commits
        commits += point in ("write", "restore")
        if commits >= number:
            raise Crash(point)

    with watched(), telling(hook):
        try:
            yield
        except Crash:
            return


@contextmanager
def at_commit(moment: Moment, table: str, act: Callable[[str], None]) -> Iterator[None]:
    """Act right before or right after each commit to a table; `act` is told what it is, `write` or `restore`."""
    with ExitStack() as stack:
        stack.enter_context(
            patch.object(lake, "write_deltalake", _acting("write", lake.write_deltalake, moment, table, act))
        )
        stack.enter_context(
            patch.object(DeltaTable, "restore", _acting("restore", DeltaTable.restore, moment, table, act))
        )
        yield


class Held:
    """A piece of work in a thread of its own that goes on from one commit point to the next only when it is told to."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.failure: Exception | None = None
        self.points: list[str] = []
        self._work = work
        self._crashes = False
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

    def crash(self) -> None:
        """End the work where it stands, as a killed process ends."""
        self._crashes = True
        self.step()

    def _run(self) -> None:
        try:
            self._hold("begin")
            with telling(self._hold):
                self._work()
        except Crash:
            pass
        except Exception as error:  # noqa: BLE001  # kept for the test to look at
            self.failure = error
        self.points.append("end")
        self._stopped.release()

    def _hold(self, point: str) -> None:
        self.points.append(point)
        self._stopped.release()
        self._go.acquire()
        if self._crashes:
            raise Crash(point)


def _telling_of(what: str, real: Callable[P, Result]) -> Callable[P, Result]:
    def telling_too(*args: P.args, **kwargs: P.kwargs) -> Result:
        hook: Hook | None = getattr(_hooks, "hook", None)
        if hook is None:
            return real(*args, **kwargs)
        if what == "create":
            hook(what)
            return real(*args, **kwargs)
        result = real(*args, **kwargs)
        hook(what)
        return result

    return telling_too


def _acting(
    what: str, real: Callable[..., Result], moment: Moment, table: str, act: Callable[[str], None]
) -> Callable[..., Result]:
    def commit(target: DeltaTable, *args: object, **kwargs: object) -> Result:
        is_here = target.table_uri.rstrip("/").endswith(f"/{table}")
        if is_here and moment == "before":
            act(what)
        result = real(target, *args, **kwargs)
        if is_here and moment == "after":
            act(what)
        return result

    return commit
