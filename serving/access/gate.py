"""The gate: middleware that lets in what the policy allows, and answers the rest with a problem.

It stands before routing, so that no way of answering can pass by it.
"""

from __future__ import annotations

from functools import partial
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.access.keys import ApiKey
from serving.access.lasting import LOOK_EVERY_S, while_valid
from serving.access.policy import Policy, bearer, peer
from serving.access.scopes import HEALTH, SESSION, needed_scope
from serving.problem import problem

_REALM = 'Bearer realm="twofold"'


class Gate:
    """Middleware that keeps a policy."""

    def __init__(self, app: ASGIApp, policy: Policy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or hand it on."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers, needs_key = Headers(scope=scope), self._policy.needs_key
        key = self._policy.key_of(headers) if needs_key else None
        caller = peer(scope) if key is None else f"key {key.id}"
        refused = self._refused(scope, headers, key, caller, needs_key=needs_key)
        if refused is not None:
            await refused(scope, receive, send)
            return
        if needs_key:
            send = _not_for_others(send)
        if needed_scope(scope["path"]) != "stream":
            await self._app(scope, receive, send)
            return
        with self._policy.counting(caller):
            if key is None:
                await self._app(scope, receive, send)
                return
            await while_valid(self._app, scope, receive, send, partial(self._policy.still_takes, key), LOOK_EVERY_S)

    def _refused(
        self, scope: Scope, headers: Headers, key: ApiKey | None, caller: str, *, needs_key: bool
    ) -> JSONResponse | None:
        return (
            (None if needs_key else self._strange_host(headers))
            or (self._strange_origin(headers) if scope["type"] == "websocket" else None)
            or self._too_often(scope, caller)
            or (self._not_allowed(scope, headers, key) if needs_key else None)
            or self._too_many_streams(scope, caller)
        )

    def _strange_host(self, headers: Headers) -> JSONResponse | None:
        """Refuse a page that has its own name stand for this address (DNS rebinding); browsers tell the name."""
        hosts, told = self._policy.hosts, headers.get("host", "")
        if not hosts or _split(told).hostname in hosts:
            return None
        return problem(
            "foreign_host",
            f"{told[:200]!r} is not where this API listens. Ask it at {' or '.join(sorted(hosts))}; or make a key "
            "(`twofold keys create NAME`), with which any name will do.",
        )

    def _strange_origin(self, headers: Headers) -> JSONResponse | None:
        """Refuse a foreign page. Browsers apply no rule of same origin to WebSockets, but name the page."""
        origin = headers.get("origin")
        if origin is None or origin.lower() in self._policy.origins:
            return None
        if _split(origin.partition("://")[2]).netloc.lower() == headers.get("host", "").lower():
            return None
        return problem("foreign_origin", f"A page of {origin[:200]} may not read this stream.")

    def _too_often(self, scope: Scope, caller: str) -> JSONResponse | None:
        rates = self._policy.rates
        wait_s = 0.0 if rates is None or scope["path"] in HEALTH else rates.wait_s(caller)
        if rates is None or not wait_s:
            return None
        return problem(
            "too_many_requests",
            f"More requests came of {caller} than one may make. Ask again after what Retry-After says; ask for more at "
            "once, or follow a stream. The bound is set by TWOFOLD_REQUESTS_PER_S.",
            rates.headers(wait_s),
        )

    def _not_allowed(self, scope: Scope, headers: Headers, key: ApiKey | None) -> JSONResponse | None:
        needed = needed_scope(scope["path"])
        if needed is None or (key is not None and needed in key.scopes):
            return None
        if key is not None:
            return problem(
                "scope_missing",
                f"The key {key.name!r} may {' and '.join(key.scopes)}, and this needs {needed!r}. Take another key, or "
                f"have one made: `twofold keys create NAME --scope {needed}`.",
                {"WWW-Authenticate": f'{_REALM}, error="insufficient_scope", scope="{needed}"'},
            )
        if bearer(headers) is None:
            return problem(
                "key_needed",
                "This API needs a key. Send it in the header `Authorization: Bearer KEY`; browsers get a cookie for it "
                f"at {SESSION}. Keys are made by `twofold keys create NAME`.",
                {"WWW-Authenticate": _REALM},
            )
        return problem(
            "key_invalid",
            "The key is not one that is taken here: it may be cut off, expired or revoked. Whoever runs serving sees "
            "by `twofold keys list` which there are.",
            {"WWW-Authenticate": f'{_REALM}, error="invalid_token"'},
        )

    def _too_many_streams(self, scope: Scope, caller: str) -> JSONResponse | None:
        most = self._policy.most_streams
        if most is None or needed_scope(scope["path"]) != "stream" or self._policy.reading[caller] < most:
            return None
        return problem(
            "too_many_requests",
            f"{caller} reads {most} streams already, and may read no more at a time. Close one, or follow several "
            "symbols by one stream. The bound is set by TWOFOLD_STREAMS_PER_CALLER.",
            {"Retry-After": "1"},
        )


def _split(place: str) -> SplitResult:
    """A host with or without a port, in its parts; empty ones where it is none."""
    try:
        return urlsplit(f"//{place}")
    except ValueError:
        return urlsplit("")


def _not_for_others(send: Send) -> Send:
    """Have no cache give the answer to someone else."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).append("Vary", "Authorization, Cookie")
        await send(message)

    return sending
