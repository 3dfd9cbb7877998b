"""The server: uvicorn, which ends streams before it waits for its connections."""

from __future__ import annotations

import socket

import uvicorn

from serving.push.hub import Hub


class Server(uvicorn.Server):
    """A server that tells the readers of streams that it stops, so that they need not be cut off."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, and then as always."""
        await self._hub.stop()
        await super().shutdown(sockets)
