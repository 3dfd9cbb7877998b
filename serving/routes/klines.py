"""Binance-shaped klines: bars for programs that are written for Binance's market data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, FastAPI, Response
from fastapi import Query as Parameter
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from serving.klines import (
    BARS,
    DEFAULT,
    FLOW,
    INTERVALS,
    MOST,
    KlinesAsked,
    kline_interval_us,
    klines,
)
from serving.markets import known_markets, the_market, windows_us
from serving.problem import invalid_detail
from serving.receipts.vouching import Receipts
from serving.routes.shaped import charted, described_shaped, refusing, said, vouched
from serving.seam import Pair, Seam
from serving.spoken import Speaker, Spoken
from twofold.errors import AmbiguousSymbol, ArithmeticOverflow, BadCombination, BadInterval, QueryError, UnknownName
from twofold.view import View

_LAST_MS = 253_402_300_798_000

_UNKNOWN, _DISCONNECTED, _MANDATORY, _BAD_PARAMETER = -1000, -1001, -1102, -1130
_CODES: Mapping[type[Exception], int] = {
    UnknownName: -1121,
    AmbiguousSymbol: _MANDATORY,
    BadInterval: -1120,
    BadCombination: -1128,
    QueryError: -1104,  # of these there are only unknown and repeated parameters here
}
"""Binance's codes, by the errors that they stand for."""

Milliseconds = Annotated[int | None, Parameter(ge=0, le=_LAST_MS)]
Kline = Annotated[list[int | str], Field(min_length=12, max_length=12)]


class KlinesRefusal(BaseModel):
    """An error, as Binance writes it."""

    model_config = ConfigDict(extra="forbid")

    code: int = Field(description="One of Binance's codes.", examples=[-1121])
    msg: str = Field(description="What happened, to what, what to do, and what exists.")


def add_klines(app: FastAPI, seam: Seam, receipts: Receipts) -> None:
    """Add the route."""
    router = APIRouter(prefix="/api/v3", tags=["charts"], route_class=refusing(_refusal))
    speaker = Speaker(receipts)

    @router.get("/klines", summary="Bars of a market in the shape of Binance's klines", responses=_KLINES)
    async def read_klines(
        symbol: Annotated[str, Parameter(description="A symbol.", examples=["BTCUSDT"])],
        interval: Annotated[
            str,
            Parameter(description="Length of the klines.", examples=["1m"], json_schema_extra={"enum": [*INTERVALS]}),
        ],
        start_ms: Annotated[
            Milliseconds, Parameter(alias="startTime", description="The first klines that open then or later, in ms.")
        ] = None,
        end_ms: Annotated[
            Milliseconds, Parameter(alias="endTime", description="Only klines that open then or before, in ms.")
        ] = None,
        limit: Annotated[
            int, Parameter(ge=1, description=f"Klines that are given at most; more than {MOST} is taken for {MOST}.")
        ] = DEFAULT,
        venue: Annotated[
            str | None,
            Parameter(
                description="Where the symbol is traded; needed where several venues have it.", examples=["binance"]
            ),
        ] = None,
    ) -> Response:
        """Arrays of twelve values each.

        These are open time, open, high, low, close, volume, close time, notional (with all its
        digits), number of trades, volume and notional that takers bought, and "0". Decimals are text, times
        milliseconds since 1970. Without startTime they are the newest; windows without trades are left out. Values
        are those of /v1/views/bars and /v1/views/taker_flow, both of one publication and the same positions.
        """
        pair = seam.pair(seam.default_base)
        view, flow_view = charted(pair, "bars", BARS), charted(pair, "taker_flow", FLOW)
        length_us = kline_interval_us(interval, view)
        kline_interval_us(interval, flow_view)
        market = the_market(symbol, venue, known_markets(view, pair))
        bars = await _bars(KlinesAsked(market, interval, start_ms, end_ms, min(limit, MOST)), view, speaker, pair)
        flow = await said(speaker, replace(bars.page.query, view=flow_view), pair)
        body = klines(bars.page.rows, flow.page.rows, length_us)
        return Response(body, media_type="application/json", headers=vouched(bars, flow))

    app.include_router(router)


_KLINES = described_shaped(list[Kline])
_KLINES[HTTPStatus.BAD_REQUEST.value] = {"model": KlinesRefusal, "description": "The question makes no sense."}
_KLINES[HTTPStatus.INTERNAL_SERVER_ERROR.value] = {"model": KlinesRefusal, "description": "A figure left its range."}
_KLINES[HTTPStatus.SERVICE_UNAVAILABLE.value] = {"model": KlinesRefusal, "description": "No answer at this moment."}


async def _bars(asked: KlinesAsked, view: View, speaker: Speaker, pair: Pair) -> Spoken:
    questions = asked.questions(view, *windows_us(view, asked.market, pair))
    spoken = await said(speaker, next(questions), pair)
    for question in questions:
        if spoken.page.rows.height >= asked.limit:
            break
        spoken = await said(speaker, question, pair)
    return spoken


def _refusal(error: Exception) -> Response:
    """An error, as Binance tells it."""
    if isinstance(error, RequestValidationError):
        is_missing = any(item["type"] == "missing" for item in error.errors())
        return _told(HTTPStatus.BAD_REQUEST, _MANDATORY if is_missing else _BAD_PARAMETER, invalid_detail(error))
    if isinstance(error, ArithmeticOverflow):
        return _told(HTTPStatus.INTERNAL_SERVER_ERROR, _UNKNOWN, str(error))
    code = next((_CODES[kind] for kind in type(error).mro() if kind in _CODES), None)
    if code is None:
        return _told(HTTPStatus.SERVICE_UNAVAILABLE, _DISCONNECTED, str(error))
    return _told(HTTPStatus.BAD_REQUEST, code, str(error))


def _told(status: HTTPStatus, code: int, message: str) -> Response:
    later = {"Retry-After": "1"} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
    return JSONResponse({"code": code, "msg": message}, status.value, later)
