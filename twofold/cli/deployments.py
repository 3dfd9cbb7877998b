"""`twofold deployments`: the Prefect deployments, served."""

from __future__ import annotations

from twofold.settings import load_settings


def deployments() -> None:
    """Serve the batch flows to the Prefect server that PREFECT_API_URL names, until stopped."""
    from flows.serving import serve_deployments
    from twofold.lake import Lake
    from twofold.publication import found_lake

    settings = load_settings()
    found_lake(Lake(settings.lake_root))
    serve_deployments(settings)
