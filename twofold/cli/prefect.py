"""`twofold prefect`: what a Prefect server keeps for Twofold."""

from __future__ import annotations

import typer

from twofold.settings import load_settings

prefect = typer.Typer(name="prefect", help="Set up what a Prefect server keeps for Twofold.", no_args_is_help=True)


@prefect.callback()
def _group() -> None:
    """Set up what a Prefect server keeps for Twofold."""


@prefect.command("apply")
def apply() -> None:
    """Create or mend the automations on the server that PREFECT_API_URL names; applied twice, nothing changes."""
    from flows.automations import apply_automations

    for outcome in apply_automations(load_settings()):
        typer.echo(f"{outcome.applied:9} {outcome.name}")
