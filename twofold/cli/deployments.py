"""`twofold deployments`: the Prefect deployments, served."""

from __future__ import annotations

import signal

from twofold.settings import load_settings


def deployments() -> None:
    """Serve the batch flows to the Prefect server that PREFECT_API_URL names, until stopped."""
    from flows.serving import serve_deployments
    from twofold.lake import Lake
    from twofold.publication import found_lake

    # Prefect turns SIGTERM into SIGINT, which a shell has ignored for what it starts in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    settings = load_settings()
    found_lake(Lake(settings.lake_root))
    serve_deployments(settings)
