"""The processes that run queries, each asked by one thread at a time. They are started when they are first needed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict
from queue import Empty, LifoQueue
from typing import IO, Any, NamedTuple

import orjson
import polars as pl
import pyarrow as pa

from serving.sql.limits import LIMITS, Limits
from serving.writing import write_arrow
from twofold.errors import QueryAborted, SqlRefused, TooMuch, UnknownName

AT_ONCE = 2
"""Queries that run at the same time."""

Relations = Callable[[Sequence[str]], Sequence[pl.DataFrame]]
"""Makes the rows of the views of these names."""

_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""Has libraries start no threads when they are imported: a process that forks should have but one."""

_OUT_OF_MEMORY = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT})
"""How a process ends where a library, under the limit on addresses or stack, uses memory that it was refused."""


class _Ended(Exception):
    """The process has ended before it has answered."""


class _Pipes(NamedTuple):
    """The two ends that are held of a process."""

    asking: IO[bytes]
    hearing: IO[bytes]

    def ask(self, said: dict[str, Any]) -> None:
        with _reached():
            self.asking.write(orjson.dumps(said) + b"\n")
            self.asking.flush()

    def send(self, rows: pl.DataFrame) -> None:
        with _reached():
            write_arrow(rows, self.asking)
            self.asking.flush()

    def hear(self) -> dict[str, Any]:
        line = self.hearing.readline()
        if not line.endswith(b"\n"):
            raise _Ended
        told: dict[str, Any] = orjson.loads(line)
        return told

    def read(self, length: int) -> bytes:
        body = self.hearing.read(length)
        if len(body) < length:
            raise _Ended
        return body


class QueryProcesses:
    """Runs queries, so many at the same time; who asks for more waits. Many threads may ask."""

    def __init__(self, limits: Limits = LIMITS, at_once: int = AT_ONCE) -> None:
        self._all = [QueryProcess(limits) for _ in range(at_once)]
        self._idle: LifoQueue[QueryProcess] = LifoQueue()
        for process in self._all:
            self._idle.put(process)

    @property
    def at_once(self) -> int:
        """Queries that run at the same time."""
        return len(self._all)

    def run(self, sql: str, views: Collection[str], relations: Relations) -> pa.Table:
        """Run a query.

        Args:
            sql: its text.
            views: the names that it may read.
            relations: makes the rows of those that it does.

        Raises:
            SqlRefused: it is not one SELECT over the views, or DuckDB refuses it.
            UnknownName: it reads what is no view.
            TooMuch: it, or its answer, takes more than it may.
            QueryAborted: its process ended before it had answered.
            TwofoldError: what `relations` raises.
        """
        process = self._idle.get()
        try:
            return process.run(sql, views, relations)
        finally:
            self._idle.put(process)

    def stop(self) -> None:
        """End all processes; queries that run are aborted."""
        for process in self._all:
            process.kill()
        with contextlib.suppress(Empty):
            while True:
                self._idle.get_nowait().drop()


class QueryProcess:
    """A process that runs one query after the other, and is started anew where one ended it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, sql: str, views: Collection[str], relations: Relations) -> pa.Table:
        """Run a query; as `QueryProcesses.run`."""
        pipes, is_late = self._running(), threading.Event()
        watch = threading.Timer(self._limits.wall_s, self._give_up, (is_late,))
        watch.start()
        try:
            return self._asked(pipes, sql, views, relations)
        except _Ended:
            raise self._why(self.drop(), late=is_late.is_set()) from None
        finally:
            watch.cancel()

    def kill(self) -> None:
        """End the process, and the one that it forked for a query, which may outlive it. Any thread may."""
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of zombies
                os.killpg(process.pid, signal.SIGKILL)

    def drop(self) -> int:
        """Let go of a process that has ended, or end it, and give its exit code; the next query starts another."""
        process = self._process
        if process is None:
            return 0
        code = process.poll()
        self.kill()
        code = process.wait() if code is None else code
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):  # what was not sent yet cannot be
                if pipe is not None:
                    pipe.close()
        self._process = None
        return code

    def _running(self) -> _Pipes:
        """The pipes of the process, which is started if there is none."""
        if self._process is not None and self._process.poll() is not None:
            self.drop()
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "serving.sql.sandbox"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **_ONE_THREAD},  # and nothing of this one's
                process_group=0,
            )
        asking, hearing = self._process.stdin, self._process.stdout
        if asking is None or hearing is None:
            raise TypeError(self._process)
        return _Pipes(asking, hearing)

    def _give_up(self, is_late: threading.Event) -> None:
        is_late.set()
        self.kill()

    def _asked(self, pipes: _Pipes, sql: str, views: Collection[str], relations: Relations) -> pa.Table:
        pipes.ask({"sql": sql, "views": sorted(views), "limits": asdict(self._limits)})
        told = pipes.hear()
        if "reads" in told:
            told = _answered(pipes, told["reads"], relations)
        if "unknown" in told:
            raise UnknownName("view", told["unknown"][:100], views)
        if "too_much" in told:
            raise TooMuch(f"The query takes too much: {told['too_much']}. Have it read or give fewer rows.")
        if "refused" in told:
            raise SqlRefused(told["refused"])
        return pa.ipc.open_stream(pipes.read(told["bytes"])).read_all()

    def _why(self, code: int, *, late: bool) -> TooMuch | QueryAborted:
        """What it means that the process ended."""
        limits = self._limits
        if late:
            return TooMuch(f"The query takes too much: it had no answer after {limits.wall_s} s, and was ended.")
        if code == -signal.SIGXCPU:
            return TooMuch(
                f"The query takes too much: it was ended after {limits.processor_s} s of processor time. Have it read "
                "fewer rows, or do less with each."
            )
        if -code in _OUT_OF_MEMORY:
            return TooMuch(
                f"The query takes too much: its process broke off ({signal.Signals(-code).name}), as it does where "
                "memory or stack runs out. Have it read fewer rows, or nest less."
            )
        return QueryAborted(
            f"The process that ran the query ended before it had answered (exit code {code}). Ask again; where that "
            "happens each time, the query is more than its process can take, and a simpler one may do."
        )


def _answered(pipes: _Pipes, names: Sequence[str], relations: Relations) -> dict[str, Any]:
    """Send the rows of the views that a query reads, and hear what comes of it."""
    try:
        frames = relations(names)
    except BaseException:
        pipes.ask({"goes_on": False})
        pipes.hear()
        raise
    pipes.ask({"goes_on": True})
    for frame in frames:
        pipes.send(frame)
    return pipes.hear()


@contextlib.contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except OSError:
        raise _Ended from None
