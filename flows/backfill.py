"""The backfill as a Prefect flow: files of trades, taken in one after the other in the order of their days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, cast
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from batch_layer.backfill.backfill import Backfill
from batch_layer.backfill.import_file import ImportFile, find_files
from batch_layer.backfill.summary import summary
from batch_layer.engine import polars_cycle
from flows.assets import tell_assets
from flows.stage import stage, unsearched
from twofold.lake import Lake
from twofold.publication import Publications, found_lake
from twofold.settings import load_settings

ARTIFACT = "backfill"
"""The key of the artifact that tables what became of the rows of each file."""

PROGRESS = "backfill-progress"
"""The key of the artifact that shows how far a run is."""


@stage
def take_in(job: Backfill, tell: Callable[[int], None]) -> dict[str, Any]:
    """Take in one file; `tell` is told how many bytes of it have been read."""
    before, steps = job.position(), []
    for step in job.steps():
        steps.append(step)
        tell(job.file.read_bytes)
    return summary(job.file.path.name, before, steps)


@flow(name="backfill", flow_run_name="backfill", persist_result=False, validate_parameters=True)
def backfill(
    paths: Annotated[list[Path], Field(min_length=1)], source: str | None = None, days: list[date] | None = None
) -> State[object]:
    """Take trades of files into the lake, beside what the event log brings. What was taken in is not taken in again.

    Args:
        paths: Captures, NDJSON (gzipped or not) or Parquet files, where the worker is; of a folder all files are meant.
        source: The declared source of the trades. By default the one of their format.
        days: Only files that have one of these days in their names, as 2024-08-09 or 20240809. By default all.
    """
    settings = load_settings()
    lake = Lake(settings.lake_root)
    found_lake(lake)
    parent = Publications(lake).newest()
    files = [ImportFile(path, settings, source) for path in find_files(paths, days or ())]
    total = sum(file.size_bytes for file in files)
    described = f"{len(files)} files, {total:,} bytes."
    progress = cast("UUID", create_progress_artifact(0.0, key=PROGRESS, description=described))
    rows: list[dict[str, Any]] = []
    done = 0
    for file in files:

        def tell(read_bytes: int, before: int = done) -> None:
            update_progress_artifact(progress, 100 * (before + read_bytes) / total)

        job = Backfill(file, lake, lambda: polars_cycle(settings, lake))
        named = take_in.with_options(task_run_name=f"take-in {file.path.name}")
        rows.append(named(unsearched(job), unsearched(tell)))
        done += file.size_bytes
        tell(0, done)
    create_table_artifact(rows, key=ARTIFACT, description=f"{len(rows)} files.")
    publication = Publications(lake).newest()
    if any(row["read"] for row in rows):
        tell_assets(lake, settings.topic, parent, publication)
    read, taken = (sum(row[name] for row in rows) for name in ("read", "taken"))
    message = f"{read} rows of {len(rows)} files read, {taken} of them new trades."
    get_run_logger().info(message)
    return Completed(message=message)
