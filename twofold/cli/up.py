"""`twofold up`: everything on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from twofold.settings import load_settings
from twofold.sources.pacing import parse_speed


def up(
    *,
    replay: Annotated[
        Path | None,
        typer.Option(
            help="Send the trades of this capture instead of made-up ones.",
            exists=True,
            dir_okay=False,
            readable=True,
            show_default=False,
        ),
    ] = None,
    speed: Annotated[
        str, typer.Option(help="How many times as fast as recorded to replay, such as 10, or max.")
    ] = "10",
    rate: Annotated[float, typer.Option(min=0.001, help="Made-up trades a second.")] = 200.0,
    symbols: Annotated[int, typer.Option(min=1, help="Made-up symbols.")] = 20,
    seed: Annotated[int, typer.Option(help="Equal seeds make equal markets.")] = 1,
) -> None:
    """Run it all on this machine until Ctrl-C: Kafka, Prefect, the batch flows, the speed worker, serving, a source."""
    settings = load_settings()
    parse_speed(speed)
    if replay is None:
        source = ["simulate", "--rate", str(rate), "--symbols", str(symbols), "--seed", str(seed)]
    else:
        source = ["replay", "--speed", speed, "--", str(replay)]

    from twofold.cli.operation import operate

    operate(settings, source)
