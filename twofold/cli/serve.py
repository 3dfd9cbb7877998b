"""`twofold serve`: the serving API."""

from __future__ import annotations

from twofold.responsiveness import responsive
from twofold.settings import load_settings
from twofold.supervision.local_parts import check_port, split_address


def serve() -> None:
    """Run the serving API over HTTP; its documentation is at /docs."""
    with responsive():
        from contextlib import suppress

        from serving.access.opening import open_policy
        from serving.app import make_app
        from serving.receipts.checking import check_beside
        from serving.receipts.opening import open_receipts
        from serving.seam import Seam
        from serving.server import Server, configured
        from serving.speed_workers import speed_of
        from twofold.lake import Lake
        from twofold.views.declared import declared_views

    settings = load_settings()
    host, port = split_address(settings.serving_address)
    check_port("The serving API", "TWOFOLD_SERVING_ADDRESS", host, port)
    seam = Seam(Lake(settings.lake_root), speed_of(settings.speed_workers), declared_views(settings.views))
    receipts = open_receipts(settings, check_beside)
    app = make_app(seam, receipts, policy=open_policy(settings))
    with suppress(KeyboardInterrupt):
        Server(configured(app, host, port), app.state.hub).run()
