"""`twofold doctor`: whether the lake is whole, and what would mend it."""

from __future__ import annotations

import typer

from twofold.settings import load_settings


def doctor() -> None:
    """Check the lake, its publications and the event log behind them; exit code 1 where something is wrong."""
    from batch_layer.doctor import examine
    from twofold.event_log.opening import log_opener
    from twofold.lake import Lake

    settings = load_settings()
    found = examine(Lake(settings.lake_root), log_opener(settings))
    for finding in found.findings:
        typer.echo(str(finding))
    for what in found.unchecked:
        typer.echo(f"not checked | {what}")
    if found.findings:
        typer.echo(f"Findings: {len(found.findings)}.")
        raise typer.Exit(1)
    typer.echo(f"Sound: {len(found.logs)} tables, {len(found.published)} publications.")
