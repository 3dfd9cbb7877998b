"""Which trade ids are missing."""

from __future__ import annotations

from fastapi import FastAPI, Response
from fastapi.concurrency import run_in_threadpool

from serving.batch_side import BatchSide
from serving.gaps import gap_rows
from serving.reply import AT_ONCE_ROWS, json_reply
from serving.routes.described import Gaps, described
from serving.routes.parameters import Symbol, Venue
from serving.seam import Seam


def add_gaps(app: FastAPI, seam: Seam) -> None:
    """Add the route."""

    @app.get(
        "/v1/gaps",
        summary="Which ids are missing, as of the newest publication",
        tags=["records"],
        responses=described(Gaps, "unknown_name", "not_ready"),
    )
    async def read_gaps(venue: Venue = None, symbol: Symbol = None) -> Response:
        batch = seam.pair("published").batch
        if batch.gaps.height <= AT_ONCE_ROWS:
            return _answered(batch, venue, symbol)
        return await run_in_threadpool(_answered, batch, venue, symbol)


def _answered(batch: BatchSide, venue: str | None, symbol: str | None) -> Response:
    return json_reply({"gaps": gap_rows(batch, venue, symbol), "sequence": batch.publication.sequence})
