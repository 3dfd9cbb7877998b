"""`twofold eod`: the figures of a day, from one publication."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from twofold.settings import load_settings


def eod(
    day: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="A day in UTC, such as 2024-08-09.")],
    *,
    positions: Annotated[
        Path | None,
        typer.Option(
            help="What is held, as CSV: venue,symbol,quantity. Without it, no risk is told.",
            exists=True,
            dir_okay=False,
            readable=True,
            show_default="what TWOFOLD_POSITIONS names",
        ),
    ] = None,
    symbols: Annotated[
        str | None, typer.Option(help="Only these symbols, parted by commas, and what is held.", show_default=False)
    ] = None,
    publication: Annotated[
        int | None, typer.Option(min=1, help="The sequence of a publication.", show_default="the newest")
    ] = None,
) -> None:
    """Make bars, volatility and risk of DAY from one publication: into the lake's table end_of_day, and as a report."""
    from batch_layer.end_of_day.figures import keep
    from batch_layer.end_of_day.making import Asked, make_end_of_day
    from batch_layer.end_of_day.positions import read_positions
    from batch_layer.end_of_day.report import write_report
    from twofold.lake import Lake

    settings = load_settings()
    lake = Lake(settings.lake_root)
    held = positions or settings.positions
    asked = Asked(
        day.date(),
        None if symbols is None else tuple(symbols.split(",")),
        () if held is None else read_positions(held),
    )
    made = make_end_of_day(lake, asked, publication)
    keep(lake, made.table)
    for path in write_report(made, settings.report_folder):
        typer.echo(path)
    provisional = made.table.filter(made.table["finality"] != "closed").height
    of = f"publication {made.origin.publication.sequence}"
    typer.echo(f"{made.table.height} figures of {asked.day}, made of {of}; {provisional} of them are provisional.")
