"""Routes in the shape of another API: its errors for ours, and in headers what its answers have no place for."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from serving.merged import count
from serving.query import FINALITIES, Query
from serving.reply import AT_ONCE_ROWS
from serving.routes.described import described
from serving.seam import Pair
from serving.spoken import Speaker, Spoken
from twofold.errors import QueryError, TwofoldError
from twofold.ledger import MARKET
from twofold.view import View
from twofold.views import view_named

TOKEN, FINALITY = "Twofold-Token", "Twofold-Finality"


def refusing(told: Callable[[Exception], Response]) -> type[APIRoute]:
    """A kind of route that tells errors of its requests as `told` writes them."""

    class Refusing(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handled(request: Request) -> Response:
                try:
                    return await handle(request)
                except (TwofoldError, RequestValidationError) as error:
                    return told(error)

            return handled

    return Refusing


def charted(pair: Pair, name: str, columns: Iterable[str]) -> View:
    """A view as it is served, if charts can be made of it: one row for each market and window, with some columns.

    Raises:
        UnknownName: no view of that name is served.
        QueryError: what is served cannot be charted.
    """
    view = view_named(name, pair.batch.views)
    lacking = [column for column in columns if column not in view.columns]
    if lacking or {*view.keys} != {*MARKET}:
        what = f"has no {', '.join(lacking)}" if lacking else f"has the keys {', '.join(view.keys)}"
        raise QueryError(f"The view {name!r}, as served, {what}, so that it cannot be charted. Ask /v1/views/{name}.")
    return view


async def said(speaker: Speaker, query: Query, pair: Pair) -> Spoken:
    """The answer to a question, made beside others where it takes long.

    Raises:
        TwofoldError: as `serving.answer.answer`.
    """
    known = speaker.known(query, pair)
    if known is not None:
        return known
    if count(query, pair) > AT_ONCE_ROWS:
        return await run_in_threadpool(speaker.answer, query, pair)
    return speaker.answer(query, pair)


def vouched(*spoken: Spoken) -> dict[str, str]:
    """The headers of answers that a reply is made of: their receipts' tokens, and how many rows are of which finality.

    The rows are those of the first; the others have the same windows.
    """
    counts = dict(spoken[0].page.rows["finality"].value_counts().rows())
    tokens = [orjson.loads(each.receipt)["token"] for each in spoken]
    return {
        TOKEN: ", ".join(tokens),
        FINALITY: ", ".join(f"{name}={counts[name]}" for name in FINALITIES if name in counts),
        "Cache-Control": "no-cache",
    }


def described_shaped(shape: Any) -> dict[int | str, dict[str, Any]]:  # noqa: ANN401  # a model or a list of one
    """What a route answers whose bad questions are told in a shape of its own."""
    told = {status: response for status, response in described(shape).items() if status != 422}  # noqa: PLR2004
    told[200]["headers"] = {
        TOKEN: {
            "description": "The tokens of the receipts of what the reply was made of, separated by commas: "
            "/v1/receipts/{token} makes rows again, and says of each how final it is.",
            "schema": {"type": "string"},
        },
        FINALITY: {
            "description": "How many of the rows are of which finality.",
            "schema": {"type": "string"},
            "example": "provisional=1, closed=499",
        },
    }
    return told
