"""Sessions of browsers: a key is exchanged for a cookie, and the cookie is given back."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response

from serving.access.policy import Policy, bearer
from serving.access.scopes import SESSION
from serving.access.session import COOKIE, LASTS_S
from serving.problem import problem
from serving.routes.described import described

_COOKIE = {"Set-Cookie": {"description": "The session.", "schema": {"type": "string"}}}


def add_session(app: FastAPI, policy: Policy) -> None:
    """Add the routes."""

    @app.post(
        SESSION,
        status_code=HTTPStatus.NO_CONTENT.value,
        summary="Exchange a key for a cookie, which a browser sends by itself",
        tags=["access"],
        responses=_answers(),
        response_class=Response,
    )
    async def begin(request: Request) -> Response:
        """The cookie ends after twelve hours, and with its key. Where no key is needed there is none."""
        response = Response(status_code=HTTPStatus.NO_CONTENT.value, headers={"Cache-Control": "no-store"})
        if not policy.needs_key or policy.sessions is None:
            return response
        key = policy.key_in(request.headers)
        if key is None:
            name = "key_needed" if bearer(request.headers) is None else "key_invalid"
            detail = "Send a key that is taken here in the header `Authorization: Bearer KEY`."
            return problem(name, detail, {"WWW-Authenticate": 'Bearer realm="twofold"'})
        value, is_secure = policy.sessions.begin(key.id), request.url.scheme == "https"
        response.set_cookie(COOKIE, value, max_age=LASTS_S, httponly=True, samesite="strict", secure=is_secure)
        return response

    @app.delete(
        SESSION,
        status_code=HTTPStatus.NO_CONTENT.value,
        summary="Have a browser forget its cookie",
        tags=["access"],
        responses=_answers(),
        response_class=Response,
    )
    async def end() -> Response:
        response = Response(status_code=HTTPStatus.NO_CONTENT.value)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response


def _answers() -> dict[int | str, dict[str, Any]]:
    told = {status: answer for status, answer in described(None).items() if status != HTTPStatus.OK.value}
    told[HTTPStatus.NO_CONTENT.value] = {"description": "Done.", "headers": _COOKIE}
    return told
