"""What became of every record, lane by lane."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import FastAPI, Response

from serving.query import rfc3339
from serving.reply import json_reply
from serving.routes.described import Lanes, described
from serving.seam import Seam
from twofold.clock import to_epoch_us


def add_lanes(app: FastAPI, seam: Seam) -> None:
    """Add the route."""

    @app.get(
        "/v1/lanes",
        summary="What became of every record, per lane",
        tags=["records"],
        responses=described(Lanes, "not_ready"),
    )
    def read_lanes() -> Response:
        pair = seam.pair("live")
        still_open = pair.batch.publication.still_open(pair.positions)
        stalled = pair.speed.header.stalled if pair.speed else []
        lanes = [
            {
                "lane": lane,
                "position": pair.positions.get(lane, 0),
                **asdict(account),
                "balanced": account.balanced,
                "closed": lane in pair.positions and lane not in still_open,
                "stalled": lane in stalled,
            }
            for lane, account in sorted(pair.accounts.items())
        ]
        publication = pair.batch.publication
        published_at = rfc3339(to_epoch_us(publication.published_at))
        told = {"lanes": lanes, "sequence": publication.sequence, "published_at": published_at, "speed": pair.mode}
        return json_reply(told)
