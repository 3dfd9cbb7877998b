"""The serving API: views, merged to this moment, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import Depends, FastAPI, Query, Response
from fastapi.concurrency import run_in_threadpool

from serving.answer import freshness, material
from serving.batch_side import BatchSide
from serving.gaps import gap_rows
from serving.parameters import refuse_unknown
from serving.problem import answer_errors_as_problems, problem
from serving.query import BaseChoice, parse_query
from serving.receipts.routes import add_receipts
from serving.receipts.vouching import Receipts
from serving.seam import Seam
from serving.spoken import Speaker
from twofold.account import Account, add_accounts
from twofold.errors import UnknownName
from twofold.view import View

AT_ONCE_ROWS = 2_000
"""Partials of which an answer is made at once, in some milliseconds; with more, it is made beside the others."""


def make_app(seam: Seam, views: Mapping[str, View], receipts: Receipts) -> FastAPI:
    """The application, answering from what `seam` keeps. It starts and stops the seam, and what checks, with itself."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        seam.start()
        receipts.verification.start()
        yield
        receipts.verification.stop()
        seam.stop()

    app = FastAPI(
        title="Twofold",
        summary="Views of trades up to this second, every trade counted once.",
        lifespan=lifespan,
        dependencies=[Depends(refuse_unknown)],
    )
    answer_errors_as_problems(app)
    _add_views(app, seam, views, receipts)
    add_receipts(app, receipts)
    _add_gaps(app, seam)
    _add_lanes(app, seam)
    _add_health(app, seam)
    return app


def _add_views(app: FastAPI, seam: Seam, views: Mapping[str, View], receipts: Receipts) -> None:
    speaker = Speaker(receipts)

    @app.get("/v1/views", summary="The views that exist")
    def list_views() -> Response:
        return _json([_described(view) for view in views.values()])

    @app.get("/v1/views/{view}", summary="Rows of a view, batch and live merged")
    async def read_view(
        view: str,
        venue: Annotated[str | None, Query(description="Only this venue.")] = None,
        symbol: Annotated[str | None, Query(description="Only this symbol.")] = None,
        interval: Annotated[str | None, Query(description="A multiple of the view's grain: 1m, 5m, 1h, 1d.")] = None,
        start: Annotated[str | None, Query(description="First window start, RFC 3339 or epoch milliseconds.")] = None,
        end: Annotated[str | None, Query(description="Before this window start, likewise.")] = None,
        last: Annotated[int | None, Query(description="Only the newest windows, this many per symbol.")] = None,
        base: Annotated[BaseChoice, Query(description="`published`: the batch side alone.")] = "live",
    ) -> Response:
        if view not in views:
            raise UnknownName("view", view, views)
        query = parse_query(
            views[view], venue=venue, symbol=symbol, interval=interval, start=start, end=end, last=last, base=base
        )
        pair = seam.pair(base)
        spoken = speaker.known(query, pair)
        if spoken is None and material(query, pair) <= AT_ONCE_ROWS:
            spoken = speaker.answer(query, pair)
        elif spoken is None:
            spoken = await run_in_threadpool(speaker.answer, query, pair)
        return _json({"view": view, **spoken._asdict(), "freshness": freshness(pair)})


def _add_gaps(app: FastAPI, seam: Seam) -> None:
    @app.get("/v1/gaps", summary="Which ids are missing, as of the newest publication")
    async def read_gaps(
        venue: Annotated[str | None, Query(description="Only this venue.")] = None,
        symbol: Annotated[str | None, Query(description="Only this symbol.")] = None,
    ) -> Response:
        batch = seam.pair("published").batch
        if batch.gaps.height <= AT_ONCE_ROWS:
            return _gaps_answered(batch, venue, symbol)
        return await run_in_threadpool(_gaps_answered, batch, venue, symbol)


def _gaps_answered(batch: BatchSide, venue: str | None, symbol: str | None) -> Response:
    return _json({"gaps": gap_rows(batch, venue, symbol), "sequence": batch.publication.sequence})


def _add_lanes(app: FastAPI, seam: Seam) -> None:
    @app.get("/v1/lanes", summary="What became of every record, per lane")
    def read_lanes() -> Response:
        pair = seam.pair("live")
        accounts = add_accounts(pair.batch.publication.accounts, pair.speed.accounts if pair.speed else {})
        accounts = {lane: accounts.get(lane, Account()) for lane in {*pair.positions, *accounts}}
        lanes = [
            {"lane": lane, "position": pair.positions.get(lane, 0), **asdict(account), "balanced": account.balanced}
            for lane, account in sorted(accounts.items())
        ]
        return _json({"lanes": lanes, "sequence": pair.batch.publication.sequence, "speed": pair.mode})


def _add_health(app: FastAPI, seam: Seam) -> None:
    @app.get("/healthz", summary="Whether the process is alive")
    def healthz() -> Response:
        return _json({"status": "alive"})

    @app.get("/readyz", summary="Whether answers are up to date")
    def readyz() -> Response:
        pair = seam.pair("live")
        if pair.mode != "live":
            return problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"Answers do not follow the event log: the speed worker is {pair.mode.replace('_', ' ')}.",
            )
        return _json({"status": "ready", "sequence": pair.batch.publication.sequence})


def _described(view: View) -> dict[str, Any]:
    columns = [{"name": name, "type": str(dtype)} for name, dtype in view.columns.items()]
    return {"view": view.name, "hash": view.hash, "grain_us": view.window_us, "keys": view.keys, "columns": columns}


def _json(data: object) -> Response:
    return Response(orjson.dumps(data), media_type="application/json")
