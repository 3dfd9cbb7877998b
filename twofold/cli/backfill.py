"""`twofold backfill`: trades from files, taken into the lake."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from twofold.settings import load_settings

if TYPE_CHECKING:
    from batch_layer.backfill.backfill import Backfill


def backfill(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Captures, NDJSON (gzipped or not) or Parquet; of a folder all files.", show_default=False),
    ],
    source: Annotated[
        str | None,
        typer.Option(help="The declared source of the trades; by default the one of their format.", show_default=False),
    ] = None,
    day: Annotated[
        list[datetime] | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Only files with this day in their names, as 2024-08-09 or 20240809. May be given several times.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Take the trades of files into the lake, beside what the event log brings. A trade that comes twice counts once.

    What was taken in is not taken in again: after an interruption the same command goes on.
    """
    from batch_layer.backfill.backfill import Backfill
    from batch_layer.backfill.import_file import ImportFile, find_files
    from batch_layer.engine import polars_cycle
    from twofold.lake import Lake
    from twofold.publication import found_lake

    settings = load_settings()
    files = [ImportFile(path, settings, source) for path in find_files(paths, [each.date() for each in day or ()])]
    lake = Lake(settings.lake_root)
    found_lake(lake)
    console = Console()
    rows = []
    try:
        for file in files:
            job = Backfill(file, lake, lambda: polars_cycle(settings, lake))
            rows.append(_take_in(console, job))
    except KeyboardInterrupt:
        console.print("Interrupted. What was published stays; the same command goes on from there.")
        raise typer.Exit(130) from None
    finally:
        if rows:
            _print(console, rows)


def _take_in(console: Console, job: Backfill) -> dict[str, Any]:
    """Take in one file, and say how far it is: a bar on a terminal, else a line for each publication."""
    from batch_layer.backfill.summary import summary

    file, before, steps = job.file, job.position(), []
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(file.path.name, total=file.size_bytes)
        for step in job.steps():
            steps.append(step)
            count = sum(each.account.read for each in steps)
            bar.update(task, completed=file.read_bytes, description=f"{file.path.name}: {count:,} rows")
            if not console.is_terminal:
                share = file.read_bytes / file.size_bytes
                console.print(
                    f"{file.path.name}: {share:.0%}, {count:,} rows, publication {step.sequence}", soft_wrap=True
                )
    return summary(file.path.name, before, steps)


def _print(console: Console, rows: list[dict[str, Any]]) -> None:
    table = Table(title="Backfill")
    for name in rows[0]:
        table.add_column(name, justify="left" if name == "file" else "right", overflow="fold")
    for row in rows:
        table.add_row(*(str(value) if isinstance(value, str) else f"{value:,}" for value in row.values()))
    console.print(table)
