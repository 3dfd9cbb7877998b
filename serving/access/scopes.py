"""Scopes: what a key allows, and which path needs which."""

from __future__ import annotations

from typing import Literal, get_args

Scope = Literal["read", "stream", "sql"]
"""`read`: answers and all that is told of records; `stream`: rows as they change; `sql`: the SQL endpoint."""

SCOPES: tuple[Scope, ...] = get_args(Scope)

SESSION = "/v1/session"
"""Where a browser exchanges a key for a cookie."""

HEALTH = frozenset({"/healthz", "/readyz"})
"""What probes ask for, which have no key."""

_OPEN = frozenset({*HEALTH, SESSION, "/", "/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"})
_OPEN_BELOW = ("/page/", "/v1/problems")


def needed_scope(path: str) -> Scope | None:
    """The scope that a path needs; None where it shows nothing of anyone's data. A path that is not known needs one."""
    if path in _OPEN or path.startswith(_OPEN_BELOW):
        return None
    if path.startswith("/v1/sql"):
        return "sql"
    return "stream" if path.rstrip("/").endswith("/stream") else "read"
