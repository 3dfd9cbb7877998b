"""Errors as RFC 9457 problems: what happened, to what, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from twofold.errors import (
    ArithmeticOverflow,
    MeaningDiffers,
    PublicationUnknown,
    QueryError,
    ReceiptInvalid,
    RecordsGone,
    TwofoldError,
    UnknownName,
    ViewRetired,
)

MEDIA_TYPE = "application/problem+json"

_STATUS: dict[type[TwofoldError], HTTPStatus] = {
    UnknownName: HTTPStatus.NOT_FOUND,
    QueryError: HTTPStatus.UNPROCESSABLE_ENTITY,
    ArithmeticOverflow: HTTPStatus.INTERNAL_SERVER_ERROR,
    ReceiptInvalid: HTTPStatus.BAD_REQUEST,
    PublicationUnknown: HTTPStatus.NOT_FOUND,
    MeaningDiffers: HTTPStatus.CONFLICT,
    ViewRetired: HTTPStatus.GONE,
    RecordsGone: HTTPStatus.GONE,
}


def problem(status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A problem document."""
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    later = {"Retry-After": "1"} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
    return JSONResponse(body, status.value, {**later, **(headers or {})}, MEDIA_TYPE)


def answer_errors_as_problems(app: FastAPI) -> None:
    """Have every error of an application answered as a problem."""

    async def ours(_: Request, error: Exception) -> JSONResponse:
        return problem(_STATUS.get(type(error), HTTPStatus.SERVICE_UNAVAILABLE), str(error))  # type: ignore[arg-type]  # registered for TwofoldError

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        found = error.errors() if isinstance(error, RequestValidationError) else []
        details = "; ".join(f"{item['loc'][-1]}: {item['msg']} (got {item.get('input')!r})" for item in found)
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{details}. The parameters are described at /docs.")

    async def http(request: Request, error: Exception) -> JSONResponse:
        if not isinstance(error, HTTPException):
            return await unforeseen(request, error)
        status = HTTPStatus(error.status_code)
        detail = f"{request.method} {request.url.path}: {status.description}. What exists is described at /docs."
        return problem(status, detail, error.headers)

    async def unforeseen(_: Request, error: Exception) -> JSONResponse:
        detail = f"Serving failed in a way that was not foreseen ({type(error).__name__}). Its log says where."
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail)

    app.add_exception_handler(TwofoldError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unforeseen)
