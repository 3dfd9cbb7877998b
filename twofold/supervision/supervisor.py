"""supervisord as a child process: it starts parts, restarts them with growing pauses, and stops them in order."""

from __future__ import annotations

import http.client
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from twofold import guard
from twofold.errors import SupervisionError
from twofold.folder_lock import lock_folder
from twofold.supervision.part import Part
from twofold.supervision.standing_back import standing_back

_READY_WITHIN_S = 20.0

_SUPERVISORD = """\
[supervisord]
nodaemon=true
silent=true
nocleanup=true
logfile={places}/logs/supervisord.log
pidfile={places}/run/supervisord.pid

[unix_http_server]
file={places}/socket
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

_PROGRAM = """
[program:{name}]
command=/bin/sh {places}/run/{name}.sh
priority={priority}
autostart=false
autorestart={restart}
startsecs={steady_after_s}
startretries=1000000
stopasgroup=true
killasgroup=true
stopwaitsecs={stop_within_s}
redirect_stderr=true
stdout_logfile={places}/logs/{name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=1
"""


class Supervisor:
    """A running supervisord with some parts, none of which is started yet; also a context manager.

    It ends, and all parts with it, when this process ends, however that happens.

    Args:
        parts: what it looks after; stopped in the reverse order.
        run: folder of its own files; one supervisor a folder.
        logs: folder of the parts' logs, `<part>.log`.
        environment: the environment of every part.
    """

    def __init__(self, parts: Sequence[Part], run: Path, logs: Path, environment: Mapping[str, str]) -> None:
        self._parts = parts
        self._run = run.absolute()
        self._logs = logs.absolute()
        self._environment = environment
        self._lock: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._output = self._run / "supervisord.out"
        self._places: Path | None = None
        self._server: Any = None

    def start(self) -> None:
        """Start supervisord and return when it answers.

        Raises:
            SupervisionError: another one runs in the folder, or it gave up.
        """
        for folder in (self._run, self._logs):
            folder.mkdir(parents=True, exist_ok=True)
        self._lock = lock_folder(self._run)
        if self._lock is None:
            raise SupervisionError(
                f"Another `twofold up` runs in {self._run.parent}. Stop that one, or choose another folder by "
                "TWOFOLD_DATA_FOLDER."
            )
        try:
            self._run_supervisord()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all parts, the last one first, then supervisord; an interruption meanwhile kills them all."""
        process, self._process = self._process, None
        try:
            if process is not None:
                guard.stop(process)
        finally:
            if self._places is not None:
                shutil.rmtree(self._places, ignore_errors=True)
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    def launch(self, name: str) -> None:
        """Start a part that does not run; what becomes of it shows in `processes`."""
        wait = False
        self._call("startProcess", name, wait)

    def processes(self) -> dict[str, dict[str, Any]]:
        """What supervisord says of each part's process: `statename`, `pid` (0: none), `start` and `now` (Unix time), ….

        Raises:
            SupervisionError: supervisord has gone.
        """
        return {info["name"]: info for info in self._call("getAllProcessInfo")}

    def log(self, name: str) -> Path:
        """Where a part's output goes."""
        return self._logs / f"{name}.log"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run_supervisord(self) -> None:
        self._places = self._make_places()
        configuration = self._run / "supervisord.conf"
        configuration.write_text(self._configuration(self._places))
        for part in self._parts:
            command = [*(standing_back() if part.stands_back else []), *part.command]
            (self._run / f"{part.name}.sh").write_text(f"exec {shlex.join(command)}\n")
        socket = self._places / "socket"
        transport = SupervisorTransport(None, None, serverurl=f"unix://{socket}")
        self._server = ServerProxy("http://127.0.0.1", transport=transport)
        with self._output.open("wb") as output:
            self._process = guard.start(
                [sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration)],
                grace_s=sum(part.stop_within_s for part in self._parts) + _READY_WITHIN_S,
                lead_session=True,
                output=output,
                environment=self._environment,
            )
        deadline = time.monotonic() + _READY_WITHIN_S
        while not socket.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise self._failure("did not start")
            time.sleep(0.05)

    def _make_places(self) -> Path:
        """Make a folder with a short, plain name for the socket and links to the folders that the configuration names.

        A socket's path may have 104 bytes, and the configuration's format has no way to quote a path.
        """
        places = Path(tempfile.mkdtemp(prefix="twofold-"))
        (places / "run").symlink_to(self._run)
        (places / "logs").symlink_to(self._logs)
        return places

    def _configuration(self, places: Path) -> str:
        programs = [
            _PROGRAM.format(
                name=part.name,
                places=places,
                priority=priority,
                restart="true" if part.endless else "false",
                steady_after_s=part.steady_after_s if part.endless else 0,
                stop_within_s=part.stop_within_s,
            )
            for priority, part in enumerate(self._parts, start=1)
        ]
        return "".join([_SUPERVISORD.format(places=places), *programs])

    def _call(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - XML-RPC is untyped
        try:
            return getattr(self._server.supervisor, method)(*arguments)
        except (OSError, Fault, http.client.HTTPException) as error:
            raise self._failure(f"does not answer ({error})") from error

    def _failure(self, what: str) -> SupervisionError:
        said = self._output.read_text(errors="replace").strip()
        return SupervisionError(
            f"supervisord, which looks after the parts, {what}. {said}\nSee {self._logs / 'supervisord.log'}."
        )
