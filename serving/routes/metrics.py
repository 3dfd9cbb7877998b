"""Metrics for Prometheus."""

from __future__ import annotations

from fastapi import FastAPI, Response

from serving.metrics.collector import ServingCollector
from serving.metrics.requests import Noted, Requests
from serving.push.hub import Hub
from serving.receipts.verification import Verification
from serving.routes.described import METRICS
from serving.seam import Seam
from twofold.metrics import MEDIA_TYPE, exposed, registry_of


def add_metrics(app: FastAPI, seam: Seam, hub: Hub, verification: Verification) -> Requests:
    """Add the route, and the middleware that counts requests; what was added before is counted by it."""
    registry = registry_of(ServingCollector(seam, hub, verification))
    requests = Requests(registry)
    app.add_middleware(Noted, requests=requests)

    @app.get(
        "/metrics",
        summary="Figures about batch side, live side and serving, in Prometheus' text format",
        tags=["health"],
        responses=METRICS,
        response_class=Response,
    )
    def read_metrics() -> Response:
        return Response(exposed(registry), media_type=MEDIA_TYPE)

    return requests
