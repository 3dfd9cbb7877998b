"""`twofold maintain`: few files in place of many, by hand."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from twofold.settings import load_settings


def maintain(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Join the small files of the lake's tables, and remove those that no publication within retention is made of."""
    from batch_layer.maintenance.maintenance import Maintenance
    from batch_layer.maintenance.report import about, by_table
    from batch_layer.turn import turn
    from twofold.lake import Lake

    settings = load_settings()
    lake = Lake(settings.lake_root)
    if dry_run:
        job = Maintenance(lake, settings.retention_s)
        rows, title = by_table(job.foretell(), is_done=False), "What would be done"
    else:
        with turn(lake, settings.cycle_interval_s):
            job = Maintenance(lake, settings.retention_s)
            publication = job.publish(job.compact())
            rows = by_table(job.clean(publication), is_done=True)
        title = f"Publication {publication.sequence}"
    console = Console()
    if rows:
        table = Table(title=title)
        for name in rows[0]:
            table.add_column(name, justify="left" if name == "table" else "right")
        for row in rows:
            table.add_row(*(value if isinstance(value, str) else f"{value:,}" for value in row.values()))
        console.print(table)
    console.print(about(job.retention), soft_wrap=True, highlight=False)
