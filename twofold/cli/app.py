"""The command line: `twofold …`. Commands import what they need when they run, so that help is quick."""

from __future__ import annotations

import sys

import typer

from twofold.cli.backfill import backfill
from twofold.cli.cycle import cycle
from twofold.cli.dead_letters import dead_letters
from twofold.cli.deployments import deployments
from twofold.cli.doctor import doctor
from twofold.cli.eod import eod
from twofold.cli.held import held
from twofold.cli.kafka import kafka
from twofold.cli.keys import keys
from twofold.cli.maintain import maintain
from twofold.cli.prefect import prefect
from twofold.cli.query import query
from twofold.cli.receipt import receipt
from twofold.cli.replay import replay
from twofold.cli.serve import serve
from twofold.cli.simulate import simulate
from twofold.cli.speed import speed
from twofold.cli.up import up
from twofold.cli.view import view
from twofold.errors import TwofoldError

app = typer.Typer(
    name="twofold",
    help="Views folded twice, in batch and live, and merged exactly.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (up, query, kafka, replay, simulate, cycle, backfill, maintain, doctor, deployments, speed, serve, eod):
    app.command()(command)
app.add_typer(dead_letters)
app.add_typer(held)
app.add_typer(receipt)
app.add_typer(keys)
app.add_typer(view)
app.add_typer(prefect)


def main() -> None:
    """Run a command; an error that was foreseen is one message and exit code 1."""
    try:
        app()
    except TwofoldError as error:
        sys.exit(f"twofold: {error}")
