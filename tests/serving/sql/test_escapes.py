# ruff: noqa: S608  # queries made up of text are what is tried here
"""Queries that reach for what they must not have, or take more than they may: all are refused, the next is answered."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import orjson
import polars as pl
import psutil
import pyarrow as pa
import pytest
from eventually import eventually

from serving.sql import sandbox
from serving.sql.limits import LIMITS, Limits
from serving.sql.processes import QueryProcesses
from twofold.errors import QueryAborted, SqlRefused, TooMuch, UnknownName

VIEWS = ("bars", "taker_flow")
ROWS = pl.DataFrame({"symbol": ["BTCUSDT", "ETHUSDT"], "close": [1, 2]})
TIGHT = Limits(processor_s=1, wall_s=20, memory_bytes=64 * 1024**2, answer_rows=1_000, answer_bytes=1024**2)
ENDLESS = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t"
SECRET = "what-stands-in-the-file"  # noqa: S105  # of a test

python_variable = pl.DataFrame({"secret": [SECRET]})
"""What a replacement scan would find."""


@pytest.fixture(scope="module")
def processes() -> Iterator[QueryProcesses]:
    """One process, so that what a query leaves behind would be met by the next."""
    processes = QueryProcesses(TIGHT, at_once=1)
    yield processes
    processes.stop()


def rows(names: Sequence[str]) -> list[pl.DataFrame]:
    return [ROWS] * len(names)


def asked(processes: QueryProcesses, sql: str) -> pa.Table:
    return processes.run(sql, VIEWS, rows)


def assert_it_goes_on(processes: QueryProcesses) -> None:
    assert asked(processes, "SELECT count(*) AS n FROM bars").to_pydict() == {"n": [2]}


FILE = "'{file}'"
REACHING = [
    f"SELECT * FROM read_csv({FILE}, header = false, columns = {{{{'line': 'VARCHAR'}}}})",
    f"SELECT * FROM read_csv_auto({FILE})",
    f"SELECT * FROM sniff_csv({FILE})",
    f"SELECT * FROM read_text({FILE})",
    f"SELECT * FROM read_blob({FILE})",
    f"SELECT * FROM read_json({FILE})",
    f"SELECT * FROM read_ndjson_objects({FILE})",
    f"SELECT * FROM read_parquet({FILE})",
    f"SELECT * FROM parquet_metadata({FILE})",
    f"SELECT * FROM glob({FILE})",
    "SELECT * FROM glob('/*')",
    'SELECT * FROM "{file}"',
    "SELECT * FROM '{file}'",
    'WITH "{file}" AS (SELECT 1) SELECT * FROM (SELECT * FROM "{file}") UNION ALL SELECT * FROM "{file}.csv"',
    "SELECT (SELECT content FROM read_text('{file}'))",
    "SELECT symbol FROM bars WHERE symbol IN (SELECT content FROM read_text('{file}'))",
    "WITH leak AS (SELECT content FROM read_text('{file}')) SELECT * FROM leak",
    "SELECT * FROM bars, LATERAL (SELECT * FROM read_text('{file}'))",
    "SELECT * FROM query('SELECT content FROM read_text(''{file}'')')",
    "SELECT * FROM query_table('{file}')",
    "SELECT * FROM query_table(['bars', '{file}'])",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT content FROM read_text(''{file}'')'))",
    "PRAGMA json_execute_serialized_sql(json_serialize_sql('SELECT content FROM read_text(''{file}'')'))",
    "COPY bars TO '{file}'",
    "COPY (SELECT 1) TO '{file}.copy'",
    "COPY bars FROM '{file}'",
    "EXPORT DATABASE '{file}.export'",
    "IMPORT DATABASE '{file}.export'",
    "ATTACH '{file}.db'",
    "ATTACH ':memory:' AS other",
    "DETACH memory",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{file}'",
    "FORCE INSTALL spatial FROM community",
    "UPDATE EXTENSIONS",
    "SELECT * FROM read_csv('http://127.0.0.1:9/a.csv')",
    "SELECT * FROM 'https://127.0.0.1:9/a.parquet'",
    "SELECT * FROM 's3://bucket/a.parquet'",
    "SELECT * FROM sqlite_scan('{file}', 't')",
    "SELECT * FROM postgres_scan('host=127.0.0.1', 'public', 't')",
    "PRAGMA database_list",
    "PRAGMA enable_profiling",
    "SET enable_external_access = true",
    "SET memory_limit = '100GB'",
    "SET lock_configuration = false",
    "RESET memory_limit",
    "SET VARIABLE a = 1",
    "SELECT current_setting('memory_limit')",
    "SELECT getvariable('a')",
    "SELECT getenv('PATH')",
    "SELECT * FROM python_variable",
    "SELECT * FROM ROWS",
    "SELECT * FROM processes",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_extensions()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_functions()",
    "SELECT * FROM duckdb_tables",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_class",
    "SELECT * FROM memory.main.bars",
    "SELECT * FROM main.bars",
    "SELECT * FROM pragma_table_info('bars')",
    "SELECT * FROM pragma_storage_info('bars')",
    "SELECT * FROM which_secret('s3://bucket', 's3')",
    "SELECT * FROM arrow_scan(1::BIGINT, 2::BIGINT, 3::BIGINT)",
    "SELECT * FROM arrow_scan_dumb(1, 2, 3)",
    "SELECT * FROM pandas_scan(1)",
    "SELECT * FROM seq_scan('bars')",
    "SELECT * FROM histogram('bars', 'close')",
    "SELECT nextval('s')",
    "SELECT write_log('x')",
    "SELECT * FROM (DESCRIBE bars)",
    "SELECT * FROM (SHOW ALL TABLES)",
    "SELECT * FROM (SUMMARIZE bars)",
    "DESCRIBE bars",
    "SUMMARIZE bars",
    "SHOW TABLES",
    "EXPLAIN SELECT 1",
    "EXPLAIN ANALYZE SELECT 1",
    "CREATE TABLE t AS SELECT 1",
    "CREATE MACRO m(a) AS a",
    "CREATE TEMP VIEW v AS SELECT 1",
    "CREATE SECRET (TYPE s3)",
    "CREATE SEQUENCE s",
    "INSERT INTO bars VALUES ('x', 1)",
    "WITH gone AS (DELETE FROM bars RETURNING *) SELECT * FROM gone",
    "UPDATE bars SET close = 3",
    "DELETE FROM bars",
    "DROP TABLE bars",
    "ALTER TABLE bars ADD COLUMN b INT",
    "TRUNCATE bars",
    "BEGIN TRANSACTION",
    "CHECKPOINT",
    "VACUUM",
    "ANALYZE",
    "CALL pragma_version()",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "SELECT 1; SELECT 2",
    "SELECT 1; COPY bars TO '{file}'",
    "SELECT 1 INTO OUTFILE '{file}'",
    "SELECT ?",
    "SELECT $a",
    "",
    ";",
    "-- nothing",
    "SELEC 1",
    "SELECT",
    "SELECT no_such_column FROM bars",
    "SELECT no_such_function(1)",
    "SELECT 'x'::INTEGER",
    "SELECT sum(99999999999999999999999999999999999999::DECIMAL(38,0)) FROM range(10)",
]


@pytest.mark.parametrize("sql", REACHING)
def test_a_query_reaches_nothing_but_the_views(processes: QueryProcesses, tmp_path: Path, sql: str) -> None:
    file = tmp_path / "secret.csv"
    file.write_text(SECRET, encoding="utf-8")
    with pytest.raises((SqlRefused, UnknownName)) as refused:
        asked(processes, sql.format(file=file))
    assert SECRET not in str(refused.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret.csv"]
    assert file.read_text(encoding="utf-8") == SECRET
    assert_it_goes_on(processes)


SETTINGS_ALONE = [sql for sql in REACHING if "{file}" in sql or "http" in sql or "python_variable" in sql]


@pytest.mark.parametrize("sql", SETTINGS_ALONE)
def test_what_no_check_of_the_query_refuses_the_settings_do(tmp_path: Path, sql: str) -> None:
    file = tmp_path / "secret.csv"
    file.write_text(SECRET, encoding="utf-8")
    with sandbox.connected(TIGHT) as connection:
        connection.register("bars", ROWS.to_arrow())
        with pytest.raises(duckdb.Error):
            assert SECRET not in str(connection.execute(sql.format(file=file)).fetchall())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret.csv"]


def test_the_settings_cannot_be_changed() -> None:
    with sandbox.connected(TIGHT) as connection:
        for setting in ("enable_external_access", "python_enable_replacements", "autoload_known_extensions"):
            with pytest.raises(duckdb.Error, match="locked"):
                connection.execute(f"SET {setting} = true")


def test_the_system_lets_the_process_open_nothing() -> None:
    program = (
        "import socket; from serving.sql import sandbox; from serving.sql.limits import LIMITS\n"
        "sandbox.restrain(LIMITS)\n"
        "for reach in (lambda: open('/etc/hosts'), socket.socket, lambda: open('/tmp/x', 'w')):\n"
        "    try: reach(); print('reached')\n"
        "    except OSError as error: print(error.errno)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["24", "24", "24"]


def test_the_process_has_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", SECRET)
    processes = QueryProcesses(TIGHT, at_once=1)
    assert_it_goes_on(processes)
    (process,) = processes._all
    assert process._process is not None
    environment = psutil.Process(process._process.pid).environ()
    processes.stop()
    assert "A_SECRET" not in environment


def test_whoever_forks_has_one_thread(processes: QueryProcesses) -> None:
    assert_it_goes_on(processes)
    (process,) = processes._all
    assert process._process is not None
    assert psutil.Process(process._process.pid).num_threads() == 1


BOMBS = [
    ENDLESS,
    "SELECT sum(a.range * b.range + c.range) FROM range(1000000) a, range(1000000) b, range(1000000) c",
    "SELECT count(*) FROM bars a, bars b, range(100000000000) c WHERE a.close + b.close + c.range = -1",
    "SELECT list(range) FROM range(1000000000)",
    "SELECT string_agg(range::VARCHAR) FROM range(1000000000)",
    "SELECT repeat('x', 1000000000)",
    "SELECT range(100000000)",
    "SELECT count(DISTINCT range) FROM range(1000000000)",
    "SELECT * FROM range(100000000) ORDER BY hash(range)",
    "SELECT * FROM range(1001)",
    "SELECT repeat('x', 100000) FROM range(1000)",
    "SELECT unnest(range(1000000000))",
    "WITH RECURSIVE t(s) AS (SELECT 'x' UNION ALL SELECT s || s FROM t) SELECT count(*) FROM t",
    "SELECT list_reduce(range(100000000), lambda a, b: a + b)",
    "SELECT 1 FROM range(1000000000) a ORDER BY random()",
    "SELECT lpad('x', 2000000000, 'y')",
    "SELECT bitstring('1', 1000000000)",
    "SELECT array_agg(a.range ORDER BY b.range DESC) FROM range(1000000) a, range(1000000) b",
    "SELECT * FROM (VALUES (1)) PIVOT (count(*) FOR col0 IN (1, 2, 3)), range(10000000)",
]


@pytest.mark.parametrize("sql", BOMBS)
def test_a_query_that_takes_too_much_is_ended(processes: QueryProcesses, sql: str) -> None:
    with pytest.raises(TooMuch, match="The query takes too much"):
        asked(processes, sql)
    assert_it_goes_on(processes)


MANY = 20_000
NESTED = {
    "parentheses": "SELECT " + "(" * MANY + "1" + ")" * MANY,
    "subqueries": "SELECT " + "(SELECT " * 2_000 + "1" + ")" * 2_000,
    "tables": "SELECT * FROM " + "(SELECT * FROM " * 2_000 + "bars" + ")" * 2_000,
    "negations": "SELECT " + "NOT " * MANY + "true",
    "minuses": "SELECT " + "- " * MANY + "1",
    "sums": "SELECT 1" + " + 1" * MANY,
    "ands": "SELECT true" + " AND true" * MANY,
    "lists": "SELECT " + "[" * MANY + "1" + "]" * MANY,
    "casts": "SELECT 1" + "::INT" * MANY,
    "unions": "SELECT 1" + " UNION ALL SELECT 1" * 5_000,
    "functions": "SELECT " + "abs(" * MANY + "1" + ")" * MANY,
    "cases": "SELECT " + "CASE WHEN true THEN " * 5_000 + "1" + " END" * 5_000,
    "joins": "SELECT 1 FROM bars" + ", bars" * 5_000,
    "names": "SELECT " + "a." * MANY + "b FROM bars",
    "patterns": "SELECT regexp_matches('a', '" + "(" * 5_000 + "a" + ")" * 5_000 + "')",
    "repetitions": "SELECT regexp_matches('a', '((((a{1000}){1000}){1000}){1000})')",
    "structs": "SELECT " + "{'a': " * 5_000 + "1" + "}" * 5_000,
    "with": "WITH " + ", ".join(f"t{n} AS (SELECT * FROM t{n - 1})" for n in range(1, 3_000)) + " SELECT * FROM t2999",
    "json": "SELECT json_valid('" + "[" * MANY + "')",
    "text": "SELECT '" + "x" * 60_000,
}


@pytest.mark.parametrize("kind", NESTED)
def test_a_query_that_is_nested_deeply_ends_no_more_than_itself(processes: QueryProcesses, kind: str) -> None:
    with contextlib.suppress(SqlRefused, UnknownName, TooMuch, QueryAborted):
        asked(processes, NESTED[kind])
    assert_it_goes_on(processes)


def test_a_query_finds_nothing_of_the_one_before(processes: QueryProcesses) -> None:
    asked(processes, "SELECT * FROM bars")
    with pytest.raises(UnknownName, match=r"no view .memory\.temp\.bars."):
        asked(processes, "SELECT * FROM memory.temp.bars")
    assert asked(processes, "SELECT count(*) AS n FROM taker_flow").to_pydict() == {"n": [2]}


def test_killing_the_process_of_a_query_aborts_that_query_alone() -> None:
    processes = QueryProcesses(LIMITS, at_once=1)
    assert_it_goes_on(processes)
    (process,) = processes._all
    for _ in range(2):
        outcome: list[Exception] = []
        thread = threading.Thread(target=lambda told=outcome: told.append(failure(processes, ENDLESS)))
        thread.start()
        eventually(lambda: busy(process))
        forking = psutil.Process(process._process.pid)  # type: ignore[union-attr]  # it runs
        forking.children()[0].kill()
        thread.join()
        assert isinstance(outcome[0], QueryAborted), outcome
        assert "ended before it had answered (exit code -9)" in str(outcome[0])
        assert_it_goes_on(processes)
    processes.stop()


@pytest.mark.parametrize("ending", [signal.SIGSEGV, signal.SIGABRT])
def test_a_process_that_breaks_off_where_memory_runs_out_says_that_its_query_takes_too_much(
    ending: signal.Signals,
) -> None:
    processes = QueryProcesses(LIMITS, at_once=1)
    assert_it_goes_on(processes)
    (process,) = processes._all
    outcome: list[Exception] = []
    thread = threading.Thread(target=lambda: outcome.append(failure(processes, ENDLESS)))
    thread.start()
    eventually(lambda: busy(process))
    psutil.Process(process._process.pid).children()[0].send_signal(ending)  # type: ignore[union-attr]  # it runs
    thread.join()
    assert isinstance(outcome[0], TooMuch), outcome
    assert f"broke off ({ending.name})" in str(outcome[0])
    assert_it_goes_on(processes)
    processes.stop()


def busy(process: object) -> bool:
    """Whether the process computes: the one that it forked has taken processor time."""
    started = process._process  # type: ignore[attr-defined]  # a QueryProcess
    children = psutil.Process(started.pid).children() if started is not None else []
    return any(child.cpu_times().user > 0.3 for child in children)


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def failure(processes: QueryProcesses, sql: str) -> Exception:
    try:
        asked(processes, sql)
    except Exception as error:  # noqa: BLE001  # it is what is looked at
        return error
    raise AssertionError(sql)


def test_a_process_that_was_killed_while_it_waited_is_started_anew() -> None:
    processes = QueryProcesses(TIGHT, at_once=1)
    assert_it_goes_on(processes)
    (process,) = processes._all
    psutil.Process(process._process.pid).kill()  # type: ignore[union-attr]  # it runs
    eventually(lambda: process._process.poll() is not None)  # type: ignore[union-attr]  # it ran
    assert_it_goes_on(processes)
    processes.stop()


def test_a_query_that_takes_too_long_is_ended() -> None:
    processes = QueryProcesses(Limits(processor_s=60, wall_s=4), at_once=1)
    with pytest.raises(TooMuch, match="no answer after 4 s"):
        asked(processes, ENDLESS)
    assert_it_goes_on(processes)
    processes.stop()


def test_a_query_whose_rows_cannot_be_made_leaves_the_process_as_it_was(processes: QueryProcesses) -> None:
    def fails(_: Sequence[str]) -> list[pl.DataFrame]:
        raise TooMuch("There are too many.")

    with pytest.raises(TooMuch, match="There are too many"):
        processes.run("SELECT * FROM bars", VIEWS, fails)
    assert_it_goes_on(processes)


def test_stopping_ends_queries_that_run_and_leaves_no_process() -> None:
    processes = QueryProcesses(LIMITS, at_once=1)
    assert_it_goes_on(processes)
    (process,) = processes._all
    forking = psutil.Process(process._process.pid)  # type: ignore[union-attr]  # it runs
    outcome: list[Exception] = []
    thread = threading.Thread(target=lambda: outcome.append(failure(processes, ENDLESS)))
    thread.start()
    eventually(lambda: busy(process))
    children = forking.children()
    processes.stop()
    thread.join()
    assert isinstance(outcome[0], QueryAborted)
    eventually(lambda: not any(is_alive(each) for each in (forking, *children)))


def test_the_process_ends_when_nobody_asks_any_more() -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "serving.sql.sandbox"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert running.stdin is not None
    assert running.stdout is not None
    running.stdin.write(orjson.dumps({"sql": "SELECT 1 AS one", "views": [], "limits": vars(TIGHT)}) + b"\n")
    running.stdin.flush()
    assert orjson.loads(running.stdout.readline()) == {"reads": []}
    running.communicate()
    assert running.returncode == 1  # it was told nothing more in the middle of a query
