"""TradingView's Universal Data Feed, under `/udf`: bars for its charting library."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, FastAPI, Response
from fastapi import Query as Parameter
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

from serving.markets import known_markets
from serving.problem import invalid_detail
from serving.query import MAX_LAST, Query, interval_text, parse_query
from serving.receipts.vouching import Receipts
from serving.reply import json_reply
from serving.routes.described import described
from serving.routes.shaped import charted, described_shaped, refusing, said, vouched
from serving.seam import Pair, Seam
from serving.spoken import Speaker
from serving.udf import COLUMNS, config, history, interval_us, market_of, resolutions, search, symbol_info
from twofold.clock import Clock, to_epoch_us, utc_now
from twofold.errors import QueryError
from twofold.ledger import Market
from twofold.view import View
from twofold.views import VIEWS

LOOKED_AT = 1000
"""Newest bars of a market that say how many decimals it has."""

_FIRST_S, _LAST_S = -62_135_596_800, 253_402_300_799
_SYMBOL = "`VENUE:SYMBOL`; the symbol alone where one venue has it."

Symbol = Annotated[str, Parameter(description=f"A market: {_SYMBOL}", examples=["SIMULATOR:BTCUSDT"])]
Resolution = Annotated[
    str,
    Parameter(
        description="Length of the bars: minutes, or `1D` for a day.",
        examples=["5"],
        json_schema_extra={"enum": list(resolutions(VIEWS["bars"]))},
    ),
]
Seconds = Annotated[int, Parameter(ge=_FIRST_S, le=_LAST_S)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="allow")


class UdfRefusal(_Shape):
    """An error, as UDF writes it."""

    s: Literal["error"]
    errmsg: str = Field(description="What happened, to what, what to do, and what exists.")


class UdfBars(_Shape):
    """Bars in the order of their times, each column an array."""

    s: Literal["ok"]
    t: list[int] = Field(description="Start of each bar, seconds since 1970 in UTC.")
    o: list[float]
    h: list[float]
    l: list[float]  # noqa: E741  # its name in UDF
    c: list[float]
    v: list[float]


class UdfNoBars(_Shape):
    """There are no bars in the range."""

    s: Literal["no_data"]
    next_s: int | None = Field(
        default=None, alias="nextTime", description="Start of the newest bar before the range, if there is one."
    )


class UdfConfig(_Shape):
    """What the feed can do."""

    supported_resolutions: list[str]
    exchanges: list[dict[str, str]]


class UdfSymbol(_Shape):
    """A market, as the library takes it (`LibrarySymbolInfo`)."""

    name: str
    ticker: str
    pricescale: int = Field(description="10 to the number of decimals that its newest prices have.")


class UdfFound(_Shape):
    """A market that was found."""

    symbol: str
    full_name: str
    exchange: str


def add_udf(app: FastAPI, seam: Seam, receipts: Receipts, clock: Clock = utc_now) -> None:
    """Add the routes."""
    router = APIRouter(prefix="/udf", tags=["charts"], route_class=refusing(_refusal))
    speaker = Speaker(receipts)

    @router.get("/config", summary="What the feed can do", responses=described_udf(UdfConfig))
    async def read_config() -> Response:
        pair = seam.pair(seam.default_base)
        view = _charted(pair)
        return json_reply(config(view, known_markets(view, pair)))

    @router.get("/time", summary="Seconds since 1970, by serving's clock", responses=_TIME)
    async def read_time() -> Response:
        return PlainTextResponse(str(to_epoch_us(clock()) // 1_000_000))

    @router.get("/symbols", summary="A market, for charts", responses=described_udf(UdfSymbol))
    async def read_symbol(symbol: Symbol) -> Response:
        pair = seam.pair(seam.default_base)
        view = _charted(pair)
        market = market_of(symbol, known_markets(view, pair))
        newest = await said(speaker, _query(view, market, view.window_us, last=LOOKED_AT), pair)
        return json_reply(symbol_info(view, market, newest.page.rows))

    @router.get("/search", summary="Markets by a part of their names", responses=described_udf(list[UdfFound]))
    async def search_symbols(
        query: Annotated[str, Parameter(description="A part of `VENUE:SYMBOL`.", examples=["BTC"])] = "",
        kind: Annotated[str, Parameter(alias="type", description="A type that /udf/config names.")] = "",
        exchange: Annotated[str, Parameter(description="Only of this exchange.")] = "",
        limit: Annotated[int, Parameter(ge=1, le=1000, description="Markets that are given at most.")] = 30,
    ) -> Response:
        pair = seam.pair(seam.default_base)
        return json_reply(search(query, exchange, kind, limit, known_markets(_charted(pair), pair)))

    @router.get("/history", summary="Bars of a market, for charts", responses=_HISTORY)
    async def read_history(
        symbol: Symbol,
        resolution: Resolution,
        to: Annotated[Seconds, Parameter(description="Only bars that start before, seconds since 1970 in UTC.")],
        since: Annotated[
            Seconds | None, Parameter(alias="from", description="Only bars that start then or later, likewise.")
        ] = None,
        countback: Annotated[
            int | None,
            Parameter(ge=1, le=MAX_LAST, description="The newest so many bars before `to`, whatever `from` says."),
        ] = None,
    ) -> Response:
        """Values are those of /v1/views/bars, digit by digit."""
        if since is None and countback is None:
            raise QueryError("Say by `from` or by countback which bars are wanted.")
        pair = seam.pair(seam.default_base)
        view = _charted(pair)
        market, length_us = market_of(symbol, known_markets(view, pair)), interval_us(resolution, view)
        start = since if countback is None else None
        spoken = await said(speaker, _query(view, market, length_us, start, to, countback), pair)
        if not spoken.page.rows.is_empty():
            return Response(history(spoken.page.rows), media_type="application/json", headers=vouched(spoken))
        before = None
        if start is not None:
            earlier = await said(speaker, _query(view, market, length_us, None, start, 1), pair)
            before = earlier.page.rows["window_start"].to_physical().max()
        told = {"s": "no_data"} if before is None else {"s": "no_data", "nextTime": int(before) // 1_000_000}  # type: ignore[arg-type]  # a time
        return Response(orjson.dumps(told), media_type="application/json", headers=vouched(spoken))

    app.include_router(router)


def described_udf(shape: Any) -> dict[int | str, dict[str, Any]]:  # noqa: ANN401  # a model or a list of one
    """What a route of the feed answers: errors too are answers there."""
    told = described(shape | UdfRefusal)
    return {status: response for status, response in told.items() if status != 422}  # noqa: PLR2004


_HISTORY = described_shaped(UdfBars | UdfNoBars | UdfRefusal)
_TIME: dict[int | str, dict[str, Any]] = {
    **described_udf(UdfRefusal),
    200: {"description": "The seconds.", "content": {"text/plain": {"schema": {"type": "string"}}}},
}


def _charted(pair: Pair) -> View:
    return charted(pair, "bars", COLUMNS)


def _query(
    view: View,
    market: Market,
    length_us: int,
    start: int | None = None,
    end: int | None = None,
    last: int | None = None,
) -> Query:
    venue, symbol = market
    return parse_query(
        view,
        venue=venue,
        symbol=symbol,
        interval=interval_text(length_us),
        start=None if start is None else str(start * 1000),
        end=None if end is None else str(end * 1000),
        last=last,
    )


def _refusal(error: Exception) -> Response:
    """An error, as UDF tells it: in an answer, since its library does not look at the status."""
    message = invalid_detail(error) if isinstance(error, RequestValidationError) else str(error)
    return json_reply({"s": "error", "errmsg": message})
