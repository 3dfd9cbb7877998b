"""The newest publications: what the last batch cycles did."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Response
from fastapi import Query as Parameter
from fastapi.concurrency import run_in_threadpool

from serving.publications import MOST, RecentPublications
from serving.reply import json_reply
from serving.routes.described import PublicationsTold, described
from serving.seam import Seam

DEFAULT = 20
"""Publications that are told without being asked for a number."""


def add_publications(app: FastAPI, seam: Seam) -> None:
    """Add the route."""
    recent = RecentPublications(seam.lake)

    @app.get(
        "/v1/publications",
        summary="What the last batch cycles published",
        tags=["records"],
        responses=described(PublicationsTold, "not_ready"),
    )
    async def read_publications(
        last: Annotated[
            int,
            Parameter(ge=1, le=MOST, description="The newest publications, this many.", examples=[20]),
        ] = DEFAULT,
    ) -> Response:
        newest = seam.pair("published").batch.publication
        rows = await run_in_threadpool(recent.rows, newest, last)
        return json_reply({"publications": rows, "sequence": newest.sequence})
