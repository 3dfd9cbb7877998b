"""`twofold cycle`: one batch cycle by hand."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table

from twofold.settings import load_settings


def cycle() -> None:
    """Run one batch cycle here and now, without Prefect, and table what it did."""
    from batch_layer.engine import open_cycle
    from batch_layer.report import by_lane
    from batch_layer.turn import turn
    from twofold.lake import Lake

    settings = load_settings()
    lake = Lake(settings.lake_root)
    with turn(lake, settings.cycle_interval_s):
        batch_cycle = open_cycle(settings, lake)
        intake = batch_cycle.ingest(settings.cycle_max_records)
        if not batch_cycle.has_news(intake):
            typer.echo(f"Nothing new: the log ends at the cut of publication {batch_cycle.parent.sequence}.")
            return
        folded = batch_cycle.fold(intake)
        publication = batch_cycle.publish(intake, folded)
    rows = by_lane(batch_cycle.parent, intake, folded)
    table = Table(title=f"Publication {publication.sequence}")
    for name in rows[0]:
        table.add_column(name, justify="left" if name == "lane" else "right")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)
