"""What was checked of batch cycles, and what is held."""

from __future__ import annotations

from fastapi import FastAPI, Response

from serving.quality import quality_told
from serving.reply import json_reply
from serving.routes.described import QualityTold, described
from serving.seam import Seam


def add_quality(app: FastAPI, seam: Seam) -> None:
    """Add the route."""

    @app.get(
        "/v1/quality",
        summary="What was checked of batch cycles, which of them are held, and what is excluded",
        tags=["records"],
        responses=described(QualityTold, "not_ready"),
    )
    async def read_quality() -> Response:
        publication = seam.pair("published").batch.publication
        return json_reply(quality_told(publication, seam.holds))
