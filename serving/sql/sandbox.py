"""The process that runs queries: `python -m serving.sql.sandbox`, asked by `serving.sql.processes` over its pipes.

It forks for each query. So a query finds nothing of another, its limits count from nought, and what DuckDB and Arrow
need is imported once; how it ended, the process that forked tells by ending likewise.

A query comes as a line of JSON. The answer to it is a line that names the views it reads; then a line comes that says
whether it goes on, and the views, each as an Arrow IPC stream. The last answer is a line with the length of an Arrow
IPC stream, and that, or a line that says why there is none.
"""

from __future__ import annotations

import os
import resource
import sys
from typing import Any, BinaryIO, NoReturn

import duckdb
import orjson
import pyarrow as pa

from serving.sql.limits import Limits
from serving.sql.statement import Refused, UnknownRelation, relations

NOBODY_ASKS = 3
"""Exit code where standard input has ended."""

_STANDARD_STREAMS = 3
_BATCH_ROWS = 8_192


class Exceeded(Exception):
    """An answer is larger than one may be; the message says how large."""


def main() -> int:
    """Run queries until one ends otherwise than by its answer, or nobody asks any more."""
    while True:
        child = os.fork()
        if child == 0:
            _run_one(sys.stdin.buffer, sys.stdout.buffer)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code < 0:
            os.kill(os.getpid(), -code)
        if code:
            return abs(code)


def _run_one(source: BinaryIO, sink: BinaryIO) -> NoReturn:
    """Run a query, and end this process as it stands: to take the database down would be to wait for its threads."""
    asked = source.readline()
    if not asked:
        os._exit(NOBODY_ASKS)
    request = orjson.loads(asked)
    limits = Limits(**request["limits"])
    connection = connected(limits)
    restrain(limits)
    told = _read_by(connection, request)
    _tell(sink, told)
    if "reads" not in told:
        os._exit(0)
    if not orjson.loads(source.readline())["goes_on"]:
        _tell(sink, {})  # so that the next query is sent when nothing is read here any more
        os._exit(0)
    for name in told["reads"]:
        connection.register(name, pa.ipc.open_stream(source).read_all())
    _tell(sink, *_made(connection, request["sql"], limits))
    os._exit(0)


def connected(limits: Limits) -> duckdb.DuckDBPyConnection:
    """A database in memory that reaches nothing outside, and whose settings stay as they are."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": 1,
            "memory_limit": f"{limits.memory_bytes}B",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
        },
    )
    for setting in (
        "python_enable_replacements = false",
        "TimeZone = 'UTC'",
        "temp_directory = ''",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")
    return connection


def restrain(limits: Limits) -> None:
    """Have the system hold this process to its limits. With the standard streams, it has all files that it may open."""
    for kind, most in (
        (resource.RLIMIT_AS, limits.address_bytes),
        (resource.RLIMIT_NOFILE, _STANDARD_STREAMS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))
    # At the first of the two it is ended by SIGXCPU, which tells why.
    resource.setrlimit(resource.RLIMIT_CPU, (limits.processor_s, limits.processor_s + 1))


def _read_by(connection: duckdb.DuckDBPyConnection, request: dict[str, Any]) -> dict[str, Any]:
    """The views that a query reads, or why it is not run."""
    try:
        return {"reads": relations(connection, request["sql"], request["views"])}
    except UnknownRelation as unknown:
        return {"unknown": str(unknown)}
    except (Refused, duckdb.Error) as refused:
        return {"refused": str(refused)}


def _made(connection: duckdb.DuckDBPyConnection, sql: str, limits: Limits) -> tuple[dict[str, Any], bytes | pa.Buffer]:
    """The answer, or why there is none."""
    try:
        body = _written(connection.sql(sql).to_arrow_reader(_BATCH_ROWS), limits)
    except Exceeded as exceeded:
        return {"too_much": str(exceeded)}, b""
    except (MemoryError, duckdb.OutOfMemoryException):
        return {"too_much": f"it needs more than {limits.memory_bytes // 1024**2} MiB of memory"}, b""
    except (duckdb.Error, pa.ArrowException) as refused:
        return {"refused": str(refused)}, b""
    return {"bytes": len(body)}, body


def _written(batches: pa.RecordBatchReader, limits: Limits) -> pa.Buffer:
    """An answer as an Arrow IPC stream.

    Raises:
        Exceeded: it is too large.
    """
    stream, rows = pa.BufferOutputStream(), 0
    with pa.ipc.new_stream(stream, batches.schema) as writer:
        for batch in batches:
            rows += batch.num_rows
            if rows > limits.answer_rows:
                raise Exceeded(f"its answer has more than {limits.answer_rows} rows")
            writer.write_batch(batch)
            if stream.tell() > limits.answer_bytes:
                raise Exceeded(f"its answer is larger than {limits.answer_bytes // 1024**2} MiB")
    return stream.getvalue()


def _tell(sink: BinaryIO, told: dict[str, Any], body: bytes | pa.Buffer = b"") -> None:
    sink.write(orjson.dumps(told) + b"\n")
    sink.write(body)
    sink.flush()


if __name__ == "__main__":
    sys.exit(main())
