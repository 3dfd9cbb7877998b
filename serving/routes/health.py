"""Whether serving is alive, and whether its answers are up to date."""

from __future__ import annotations

from fastapi import FastAPI, Response

from serving.problem import problem
from serving.reply import json_reply
from serving.routes.described import Alive, Ready, described
from serving.seam import Seam


def add_health(app: FastAPI, seam: Seam) -> None:
    """Add the routes."""

    @app.get("/healthz", summary="Whether the process is alive", tags=["health"], responses=described(Alive))
    async def healthz() -> Response:
        return json_reply({"status": "alive"})

    @app.get(
        "/readyz", summary="Whether answers are up to date", tags=["health"], responses=described(Ready, "not_ready")
    )
    async def readyz() -> Response:
        pair = seam.pair("live")
        if pair.mode != "live":
            return problem(
                "not_ready", f"Answers do not follow the event log: the speed worker is {pair.mode.replace('_', ' ')}."
            )
        if pair.speed and pair.speed.header.stalled:
            return problem(
                "not_ready",
                f"Answers do not follow the event log in {', '.join(pair.speed.header.stalled)}: nothing comes of it, "
                "though the log has more. Look at the broker that leads that partition.",
            )
        return json_reply({"status": "ready", "sequence": pair.batch.publication.sequence})
