"""SQL: a SELECT over the views, each as it is at one moment."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, NamedTuple

import orjson
from anyio import CapacityLimiter, to_thread
from fastapi import Depends, FastAPI, Request, Response
from fastapi import Query as Parameter
from pydantic import BaseModel, ConfigDict, Field

from serving.answer import MOST_ROWS
from serving.presentation import MEDIA_TYPES, Presentation, negotiate
from serving.query import BaseChoice, Query, parse_query
from serving.reply import reply
from serving.routes.described import ANSWERS, Freshness, Receipt, described
from serving.routes.parameters import (
    Base,
    End,
    Finality,
    FormatName,
    Interval,
    Last,
    LayoutName,
    Start,
    Symbol,
    Venue,
)
from serving.routes.shaped import TOKEN
from serving.seam import Seam
from serving.sql.answering import SqlAnswer, SqlAnswering
from serving.sql.limits import LIMITS
from serving.writing import arrow_batches, arrow_schema, columns_json, csv, parquet, rows_json
from twofold.errors import TooManyQueries

PATH = "/v1/sql"

MOST_WAITING = 16
"""Queries that wait for others at most."""

EXAMPLE = (
    "SELECT symbol, max(high) AS high, min(low) AS low, sum(volume) AS volume FROM bars WHERE finality <> "
    "'provisional' GROUP BY symbol ORDER BY symbol"
)
_TEXT = (
    "One SELECT, as DuckDB understands it, over the views by their names. Each has the columns that /v1/views "
    "describes, `finality` among them."
)

_ABOUT = (
    "Answer a SELECT over the views, all of them as they are at one moment. The other parameters say which rows of "
    f"the views there are for the query, which may read {MOST_ROWS:,} of them. It is run by DuckDB in a process of its "
    "own, which has those rows and nothing else: no file, no network, no setting, no other table. It may take "
    f"{LIMITS.processor_s} s of processor time and {LIMITS.memory_bytes // 1024**2} MiB beside what it reads, and give "
    f"{LIMITS.answer_rows:,} rows. Times are in UTC. Decimals of a view are decimals here too, and text in JSON, as "
    "are sums of whole numbers; what DuckDB makes floats of, such as quotients and averages, are numbers."
)

Value = str | int | float | bool | None


class SqlQuestion(BaseModel):
    """A query."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(description=_TEXT, examples=[EXAMPLE])


class SqlByRows(BaseModel):
    """Rows in the order that the query says."""

    model_config = ConfigDict(extra="forbid")

    rows: list[dict[str, Value]]
    receipts: list[Receipt] = Field(description="Of the rows of each view that the query read, by the view's name.")
    freshness: Freshness


class SqlByColumns(BaseModel):
    """The same with an array for each column."""

    model_config = ConfigDict(extra="forbid")

    columns: dict[str, list[Value]]
    receipts: list[Receipt] = Field(description="Of the rows of each view that the query read, by the view's name.")
    freshness: Freshness


class Wanted(NamedTuple):
    """What a query reads, and how its answer is written."""

    selection: Callable[..., Query]
    base: BaseChoice | None
    presentation: Presentation


async def wanted(
    request: Request,
    venue: Venue = None,
    symbol: Symbol = None,
    interval: Interval = None,
    start: Start = None,
    end: End = None,
    last: Last = None,
    finality: Finality = None,
    base: Base = None,
    format_name: FormatName = None,
    layout: LayoutName = None,
) -> Wanted:
    """Which rows of the views a query reads, and how its answer is to be written. A dependency."""
    selection = partial(
        parse_query,
        venue=venue,
        symbol=symbol,
        interval=interval,
        start=start,
        end=end,
        last=last,
        finality=finality,
    )
    return Wanted(selection, base, negotiate(", ".join(request.headers.getlist("accept")), format_name, layout))


def add_sql(app: FastAPI, seam: Seam, answering: SqlAnswering) -> None:
    """Add the routes."""
    limiter = CapacityLimiter(answering.at_once)

    def made(sql: str, asked: Wanted) -> Response:
        base = asked.base or seam.default_base
        said = answering.answer(sql, partial(asked.selection, base=base), seam.pair(base))
        return _written(said, asked.presentation)

    async def answered(sql: str, asked: Wanted) -> Response:
        if limiter.statistics().tasks_waiting >= MOST_WAITING:
            raise TooManyQueries(
                f"{answering.at_once} queries run, and {MOST_WAITING} wait for them already. Ask again in a second, or "
                "ask /v1/views/{view}, which waits for none of them."
            )
        return await to_thread.run_sync(made, sql, asked, limiter=limiter)

    @app.get(PATH, summary="Rows by SQL over the views", description=_ABOUT, tags=["sql"], responses=_SQL)
    async def read_by_sql(
        query: Annotated[str, Parameter(description=_TEXT, examples=[EXAMPLE])],
        asked: Annotated[Wanted, Depends(wanted)],
    ) -> Response:
        return await answered(query, asked)

    @app.post(
        PATH,
        summary="The same, with the query in the body",
        description=_ABOUT,
        tags=["sql"],
        responses=_SQL,
    )
    async def ask_by_sql(question: SqlQuestion, asked: Annotated[Wanted, Depends(wanted)]) -> Response:
        return await answered(question.query, asked)


def _written(said: SqlAnswer, presentation: Presentation) -> Response:
    freshness = orjson.dumps(said.state.freshness())
    receipts = b"[" + b",".join(said.receipts) + b"]"
    headers = {"Cache-Control": "no-cache", "Vary": "Accept"}
    if said.receipts:
        headers[TOKEN] = ", ".join(orjson.loads(receipt)["token"] for receipt in said.receipts)
    if presentation.format == "csv":
        headers["Twofold-Freshness"] = freshness.decode()
    return reply(_body(said, presentation, receipts, freshness), MEDIA_TYPES[presentation.format], headers)


def _body(said: SqlAnswer, presentation: Presentation, receipts: bytes, freshness: bytes) -> list[bytes | memoryview]:
    if presentation.format == "json":
        rows = rows_json(said.rows) if presentation.layout == "rows" else columns_json(said.rows)
        head = b'{"%b":' % presentation.layout.encode()
        return [head, rows, b',"receipts":%b,"freshness":%b}' % (receipts, freshness)]
    if presentation.format == "csv":
        return [csv(said.rows)]
    metadata = {"twofold.receipts": receipts, "twofold.freshness": freshness}
    if presentation.format == "arrow":
        return [arrow_schema(said.rows, metadata), *arrow_batches(said.rows)]
    return [parquet(said.rows, metadata)]


def _described() -> dict[int | str, dict[str, Any]]:
    told = described(
        SqlByRows | SqlByColumns,
        *("unknown_name", "sql_refused", "too_much", "not_acceptable", "arithmetic_overflow"),
        *("query_aborted", "too_many_queries", "not_ready"),
    )
    headers = ANSWERS[200]["headers"]
    told[200] |= {
        "description": "Rows in the order that the query says, with the receipts of what it read. In Arrow and Parquet "
        "these and the freshness are in the schema's metadata, as `twofold.receipts` and `twofold.freshness`.",
        "headers": {
            TOKEN: {
                "description": "The tokens of the receipts, separated by commas, if the query read a view.",
                "schema": {"type": "string"},
            },
            "Cache-Control": headers["Cache-Control"],
            "Vary": headers["Vary"],
            "Twofold-Freshness": headers["Twofold-Freshness"],
        },
        "content": {
            MEDIA_TYPES["arrow"]: {"schema": {"type": "string", "format": "binary"}},
            MEDIA_TYPES["parquet"]: {"schema": {"type": "string", "format": "binary"}},
            MEDIA_TYPES["csv"]: {
                "schema": {"type": "string"},
                "example": "symbol,high,low,volume\r\nBTCUSDT,60000.10000000,59000.00000000,12.50000000\r\n",
            },
        },
    }
    return told


_SQL = _described()
