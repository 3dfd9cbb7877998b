"""Errors as RFC 9457 problems: what happened, to what, and what to do next."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from twofold.errors import ArithmeticOverflow, QueryError, TwofoldError, UnknownName

MEDIA_TYPE = "application/problem+json"

_STATUS: dict[type[TwofoldError], HTTPStatus] = {
    UnknownName: HTTPStatus.NOT_FOUND,
    QueryError: HTTPStatus.UNPROCESSABLE_ENTITY,
    ArithmeticOverflow: HTTPStatus.INTERNAL_SERVER_ERROR,
}


def problem(status: HTTPStatus, detail: str) -> JSONResponse:
    """A problem document."""
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    headers = {"Retry-After": "1"} if status is HTTPStatus.SERVICE_UNAVAILABLE else None
    return JSONResponse(body, status.value, headers, MEDIA_TYPE)


def answer_errors_as_problems(app: FastAPI) -> None:
    """Have every error of an application answered as a problem."""

    async def ours(_: Request, error: Exception) -> JSONResponse:
        return problem(_STATUS.get(type(error), HTTPStatus.SERVICE_UNAVAILABLE), str(error))  # type: ignore[arg-type]  # registered for TwofoldError

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        found = error.errors() if isinstance(error, RequestValidationError) else []
        details = "; ".join(f"{item['loc'][-1]}: {item['msg']} (got {item.get('input')!r})" for item in found)
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{details}. The parameters are described at /docs.")

    async def http(request: Request, error: Exception) -> JSONResponse:
        status = HTTPStatus(error.status_code if isinstance(error, HTTPException) else 500)
        detail = str(error.detail) if isinstance(error, HTTPException) else ""
        if status is HTTPStatus.NOT_FOUND:
            detail = f"There is nothing at {request.url.path}. What exists is described at /docs."
        return problem(status, detail)

    app.add_exception_handler(TwofoldError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
