"""What the serving API is measured beside: a plain FastAPI route that returns dicts, and a bare ASGI application.

Run as `python plain.py plain|raw PORT FILE`, FILE the body that serving answered with. Both are served by uvicorn with
the settings of `twofold serve`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

TEXTS = {"venue", "symbol", "finality"}

Send = Callable[[dict[str, Any]], Awaitable[None]]


def plain_route(rows: list[dict[str, Any]]) -> FastAPI:
    """The rows as dicts through FastAPI, with two declared parameters."""
    app = FastAPI()

    @app.get("/rows")
    async def read(symbol: str, last: int = 0) -> list[dict[str, Any]]:  # noqa: ARG001  # as a plain route declares them
        return rows

    return app


def raw_bytes(body: bytes) -> Callable[[object, object, Send], Awaitable[None]]:
    """A bare application that sends these bytes."""

    async def app(_scope: object, _receive: object, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": raw_head(body)})
        await send({"type": "http.response.body", "body": body})

    return app


def raw_head(body: bytes) -> list[tuple[bytes, bytes]]:
    """The headers of a body of JSON."""
    return [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]


def typed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as a frame or a database gives them: decimals and times in place of their texts."""
    return [{name: _typed(name, value) for name, value in row.items()} for row in rows]


def _typed(name: str, value: object) -> object:
    if not isinstance(value, str) or name in TEXTS:
        return value
    return datetime.fromisoformat(value) if name.startswith("window_") else Decimal(value)


if __name__ == "__main__":
    kind, port, file = sys.argv[1:]
    answered = Path(file).read_bytes()
    app: Any = plain_route(typed(json.loads(answered)["rows"])) if kind == "plain" else raw_bytes(answered)
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning", lifespan="off")
