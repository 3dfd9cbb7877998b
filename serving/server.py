"""The server: uvicorn, with bounds on its connections, which ends streams before it waits for them."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI

from serving.bounds import MOST_BODY_BYTES
from serving.connection import Connection
from serving.push.hub import MOST_READERS, Hub

MOST_CONNECTIONS = 2 * MOST_READERS
"""With more than these the server answers 503, whatever is asked."""


def configured(app: FastAPI, host: str, port: int) -> uvicorn.Config:
    """How an application is served."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=Connection,
        limit_concurrency=MOST_CONNECTIONS,
        log_level="warning",
        timeout_graceful_shutdown=3,
        ws_max_size=MOST_BODY_BYTES,
        ws_per_message_deflate=False,  # readers of a stream share its bytes, and need no window of their own
    )


class Server(uvicorn.Server):
    """A server that tells the readers of streams that it stops, so that they need not be cut off."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, and then as always."""
        await self._hub.stop()
        await super().shutdown(sockets)
