"""The serving API as it runs: uvicorn on a free port, over a real lake, asked over HTTP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from eventually import eventually
from fastapi import FastAPI
from vouched import vouching

from serving.access.policy import Policy
from serving.app import make_app
from serving.push.hub import TIMING, Timing
from serving.receipts.vouching import Receipts
from serving.seam import Pair, Seam
from serving.server import Server, configured
from serving.speed_side import SpeedClient
from twofold.lake import Lake
from twofold.views import VIEWS

NOBODY = "127.0.0.1:1"
"""Where no speed worker listens."""


class Served:
    """A serving API that runs."""

    def __init__(self, client: httpx.Client, seam: Seam, server: uvicorn.Server | None = None) -> None:
        self.client = client
        self.seam = seam
        self._server = server

    def stop(self) -> None:
        """Have it stop, as a signal does."""
        assert self._server is not None
        self._server.should_exit = True

    def get(self, path: str, **parameters: str | int) -> httpx.Response:
        """Ask for anything."""
        return self.client.get(path, params=parameters)

    def bars(self, **parameters: str | int) -> dict[str, Any]:
        """An answer of the view `bars`."""
        return self.answer("bars", **parameters)

    def answer(self, view: str, **parameters: str | int) -> dict[str, Any]:
        """An answer of any view."""
        response = self.get(f"/v1/views/{view}", **parameters)
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body

    def rows(self, **parameters: str | int) -> list[dict[str, Any]]:
        """The rows of an answer of `bars`."""
        rows: list[dict[str, Any]] = self.bars(**parameters)["rows"]
        return rows

    def is_ready(self) -> bool:
        """Whether it says that its answers are up to date."""
        return self.client.get("/readyz").is_success

    def wait_until(self, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first answer of `bars` of which that is so; refusals before are passed over."""

        def look() -> dict[str, Any] | None:
            response = self.get("/v1/views/bars")
            answer: dict[str, Any] = response.json()
            return answer if response.is_success and is_so(answer) else None

        return eventually(look)

    def wait_for(self, mode: str) -> dict[str, Any]:
        """The first answer of `bars` that says so of the speed side."""
        return self.wait_until(lambda answer: bool(answer["freshness"]["speed"] == mode))


@contextmanager
def served(
    lake: Lake,
    speed_address: str = NOBODY,
    receipts: Receipts | None = None,
    *,
    worker_left: bool = False,
    timing: Timing = TIMING,
    listening: socket.socket | None = None,
    port: int = 0,
    policy: Policy | None = None,
) -> Iterator[Served]:
    """Run the serving API over a lake and a speed worker; by default no event log is there to make answers again.

    With `worker_left` it is as if a worker had been heard at the cut and had left.
    """
    seam = Seam(lake, SpeedClient(speed_address), VIEWS)
    if worker_left:
        seam.look_at_lake()
        assert seam.newest is not None
        seam.current = Pair(seam.newest)
    app = make_app(seam, receipts or vouching(lake), timing, policy)
    with running(app, listening, port) as client:
        yield Served(client, seam, app.state.server)


@contextmanager
def running(app: FastAPI, listening: socket.socket | None = None, port: int = 0) -> Iterator[httpx.Client]:
    """Run an application on a free port, a certain one, or a socket that listens already; gives a client of it."""
    config = configured(app, "127.0.0.1", port)
    server = Server(config, app.state.hub) if hasattr(app.state, "hub") else uvicorn.Server(config)
    app.state.server = server
    sockets = None if listening is None else [listening]
    thread = threading.Thread(target=server.run, args=(sockets,), name="uvicorn")
    thread.start()
    try:
        port = eventually(lambda: server.started and server.servers[0].sockets[0].getsockname()[1])
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


def assert_is_problem(response: httpx.Response, status: int, *words: str) -> None:
    """A refusal is a problem document (RFC 9457) whose detail has these words."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem.keys() == {"type", "title", "status", "detail"}
    assert problem["status"] == status
    for word in words:
        assert word in problem["detail"]
