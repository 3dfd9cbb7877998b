"""Errors as RFC 9457 problems: what happened, to what, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError, ValidationException, WebSocketRequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from twofold.errors import (
    ArithmeticOverflow,
    CursorGone,
    GivenUp,
    MeaningDiffers,
    NotAcceptable,
    PublicationUnknown,
    QueryAborted,
    QueryError,
    ReceiptInvalid,
    RecordsGone,
    SqlRefused,
    TooManyQueries,
    TooManyStreams,
    TooMuch,
    TwofoldError,
    UnknownName,
    ViewRetired,
)

MEDIA_TYPE = "application/problem+json"
PATH = "/v1/problems"
_SHOWN = 100


@dataclass(frozen=True)
class ProblemType:
    """A kind of problem, which its `type` leads to.

    Attributes:
        status: The HTTP status that it comes with.
        title: What it is, in a few words.
        meaning: When it comes, and what to do.
    """

    status: HTTPStatus
    title: str
    meaning: str


PROBLEMS: dict[str, ProblemType] = {
    "unknown_name": ProblemType(
        HTTPStatus.NOT_FOUND,
        "There is nothing of that name",
        "A view, a venue, a symbol, a column or a problem was asked for that does not exist. The detail names some "
        "that do. A symbol exists once a trade of it was folded.",
    ),
    "unknown_path": ProblemType(
        HTTPStatus.NOT_FOUND, "There is nothing at that path", "What exists is described at /docs and /openapi.json."
    ),
    "method_not_allowed": ProblemType(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "That path does not take that method",
        "The header Allow says which methods it takes.",
    ),
    "not_acceptable": ProblemType(
        HTTPStatus.NOT_ACCEPTABLE,
        "An answer cannot be written so",
        "Neither the header Accept nor format= names a way in which answers can be written. The detail names those.",
    ),
    "cursor_gone": ProblemType(
        HTTPStatus.GONE,
        "The answer that was walked through is no longer held",
        "All pages of an answer are made of the same publication and positions. Ask again without cursor.",
    ),
    "receipt_invalid": ProblemType(
        HTTPStatus.BAD_REQUEST,
        "This is no receipt of this deployment",
        "The token was cut off or altered, or it was signed by a key that is not known here any more.",
    ),
    "publication_unknown": ProblemType(
        HTTPStatus.NOT_FOUND,
        "The lake has no such publication",
        "The receipt is of another lake, or the lake has lost what it names.",
    ),
    "meaning_differs": ProblemType(
        HTTPStatus.CONFLICT,
        "The receipt is of another decoder, other sources or another publication",
        "Made again here, the answer might be another. The detail says what differs, and what to run instead.",
    ),
    "view_retired": ProblemType(
        HTTPStatus.GONE,
        "The lake does not carry the view as it was any more",
        "The receipt is of an edition of a view that was retired. The detail says by which publication.",
    ),
    "records_gone": ProblemType(
        HTTPStatus.GONE,
        "Records that the answer was made of are gone",
        "They lay above the cut, and retention took them before the batch side took them in. The detail names them.",
    ),
    "given_up": ProblemType(
        HTTPStatus.GONE,
        "The publication was given up",
        "Files that it was made of are gone, and an operator agreed that nothing is made again from it.",
    ),
    "content_too_large": ProblemType(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "The request has a body that is too large",
        "Only /v1/sql and /v1/session take a body, of at most 64 KiB.",
    ),
    "address_too_long": ProblemType(
        HTTPStatus.REQUEST_URI_TOO_LONG,
        "The address is too long",
        "Ask for fewer names at once, or write a pattern such as symbol=*USDT.",
    ),
    "headers_too_large": ProblemType(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "The headers of the request are too large",
        "Leave cookies and other headers out that are not meant for this API.",
    ),
    "bad_question": ProblemType(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The question does not make sense",
        "A parameter has a value that it cannot have, is not known, or contradicts another. The detail says which, and "
        "what it could be.",
    ),
    "too_much": ProblemType(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The answer would be too large",
        "An answer has a bound on its rows, a page a lower one, and what it is made of another; a query in SQL has "
        "some on time and memory too. The detail says which was met. Ask for pages by limit, or for fewer windows.",
    ),
    "arithmetic_overflow": ProblemType(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "A figure left the range of its type",
        "A price or size among the trades is wrong by many orders of magnitude. The detail says of which window.",
    ),
    "unforeseen": ProblemType(
        HTTPStatus.INTERNAL_SERVER_ERROR, "Serving failed", "This was not foreseen. The log of serving says where."
    ),
    "foreign_origin": ProblemType(
        HTTPStatus.FORBIDDEN,
        "A page of another origin may not read this",
        "A browser says in the header Origin which page opens a WebSocket. Only pages of this address may: others "
        "would read all that their reader may read.",
    ),
    "too_many_streams": ProblemType(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "No more streams can be read at this moment",
        "There is a bound on readers, and one on the different questions that are followed. The detail says which was "
        "met. Come back after what the header Retry-After says, in seconds.",
    ),
    "sql_refused": ProblemType(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The query in SQL cannot be answered",
        "It is not one SELECT, reads something else than the views, or DuckDB finds a mistake in it. The detail says "
        "which.",
    ),
    "query_aborted": ProblemType(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The process that ran the query ended",
        "It did so before it had answered: the system ended it, or the query was more than it could take. Ask again "
        "after what the header Retry-After says, in seconds; a simpler query may do where that does not help.",
    ),
    "too_many_queries": ProblemType(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "No more queries in SQL can be taken at this moment",
        "There is a bound on those that run at the same time, and one on those that wait. Ask again after what the "
        "header Retry-After says, in seconds.",
    ),
    "foreign_host": ProblemType(
        HTTPStatus.MISDIRECTED_REQUEST,
        "This API does not listen under that name",
        "While no key is needed, the header Host must name this machine: else a page of anywhere could have its own "
        "name stand for this address and read what its reader may read.",
    ),
    "key_needed": ProblemType(
        HTTPStatus.UNAUTHORIZED,
        "A key is needed",
        "Send one in the header `Authorization: Bearer KEY`. Whoever runs serving makes them.",
    ),
    "key_invalid": ProblemType(
        HTTPStatus.UNAUTHORIZED,
        "The key is not taken",
        "It was cut off, has expired or was revoked. Ask whoever runs serving for another.",
    ),
    "scope_missing": ProblemType(
        HTTPStatus.FORBIDDEN,
        "The key does not allow this",
        "Each key is for `read`, `stream` or `sql`, or several of these. The detail says which is needed.",
    ),
    "too_many_requests": ProblemType(
        HTTPStatus.TOO_MANY_REQUESTS,
        "One caller asks too much at a time",
        "There is a bound on the requests of each key, or each address where no keys are needed, and one on its "
        "streams. The detail says which was met. Come back after what the header Retry-After says, in seconds.",
    ),
    "malformed": ProblemType(
        HTTPStatus.BAD_REQUEST, "This is no HTTP request", "The bytes that came cannot be read as HTTP/1.1."
    ),
    "too_slow": ProblemType(
        HTTPStatus.REQUEST_TIMEOUT,
        "The request did not come in time",
        "A request must have come whole some seconds after it began. The connection is closed.",
    ),
    "not_ready": ProblemType(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "There is no answer at this moment",
        "The system is starting, or the lake or the speed worker cannot be reached. Ask again after what the header "
        "Retry-After says, in seconds.",
    ),
}

_OF_ERROR: dict[type[TwofoldError], str] = {
    UnknownName: "unknown_name",
    QueryError: "bad_question",
    TooMuch: "too_much",
    NotAcceptable: "not_acceptable",
    CursorGone: "cursor_gone",
    TooManyStreams: "too_many_streams",
    ReceiptInvalid: "receipt_invalid",
    PublicationUnknown: "publication_unknown",
    MeaningDiffers: "meaning_differs",
    ViewRetired: "view_retired",
    RecordsGone: "records_gone",
    GivenUp: "given_up",
    ArithmeticOverflow: "arithmetic_overflow",
    SqlRefused: "sql_refused",
    QueryAborted: "query_aborted",
    TooManyQueries: "too_many_queries",
}

_OF_STATUS = {
    HTTPStatus.NOT_FOUND: "unknown_path",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "content_too_large",
}


def problem(name: str, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A problem document of one of the types in `PROBLEMS`."""
    kind = PROBLEMS[name]
    body = {"type": f"{PATH}/{name}", "title": kind.title, "status": kind.status.value, "detail": detail}
    later = {"Retry-After": "1"} if kind.status is HTTPStatus.SERVICE_UNAVAILABLE else {}
    return JSONResponse(body, kind.status.value, {**later, **(headers or {})}, MEDIA_TYPE)


def answer_errors_as_problems(app: FastAPI) -> None:
    """Have every error of an application answered as a problem."""

    async def ours(connection: HTTPConnection, error: Exception) -> JSONResponse | None:
        return await _told(connection, problem(_OF_ERROR.get(type(error), "not_ready"), str(error)))  # type: ignore[arg-type]  # registered for TwofoldError

    async def invalid(connection: HTTPConnection, error: Exception) -> JSONResponse | None:
        return await _told(connection, problem("bad_question", invalid_detail(error)))

    async def http(request: Request, error: Exception) -> JSONResponse:
        if not isinstance(error, HTTPException):
            return await unforeseen(request, error)
        status = HTTPStatus(error.status_code)
        detail = f"{request.method} {request.url.path}: {status.description}. What exists is described at /docs."
        return problem(_OF_STATUS.get(status, "bad_question"), detail, error.headers)

    async def unforeseen(_: Request, error: Exception) -> JSONResponse:
        detail = f"Serving failed in a way that was not foreseen ({type(error).__name__}). Its log says where."
        return problem("unforeseen", detail)

    told = {TwofoldError: ours, RequestValidationError: invalid, WebSocketRequestValidationError: invalid}
    for kind, handler in told.items():
        app.add_exception_handler(kind, handler)  # type: ignore[arg-type]  # which takes requests and WebSockets
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unforeseen)


def invalid_detail(error: Exception) -> str:
    """What FastAPI found wrong with the parameters of a request, in words."""
    found = error.errors() if isinstance(error, ValidationException) else []
    details = "; ".join(f"{item['loc'][-1]}: {item['msg']} (got {_shown(item.get('input'))})" for item in found)
    return f"{details}. The parameters are described at /docs."


async def _told(connection: HTTPConnection, refusal: JSONResponse) -> JSONResponse | None:
    """Have a refusal sent; a WebSocket that is not open yet is refused by it, in place of being opened."""
    if not isinstance(connection, WebSocket):
        return refusal
    await connection.send_denial_response(refusal)
    return None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
