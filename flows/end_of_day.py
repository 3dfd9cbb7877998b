"""The end of day as a Prefect flow: figures of a day from one publication, kept in the lake and reported."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from pathlib import Path
from typing import Annotated

import polars as pl
from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed
from pydantic import Field

from batch_layer.end_of_day.figures import keep
from batch_layer.end_of_day.making import Asked, EndOfDay, make_end_of_day
from batch_layer.end_of_day.positions import read_positions
from batch_layer.end_of_day.report import write_report
from flows.stage import stage, unsearched
from twofold.errors import NothingTraded
from twofold.lake import Lake
from twofold.settings import load_settings

ARTIFACT = "end-of-day"
"""The key of the artifact that tables the figures of all positions together."""


@stage
def make(asked: Asked, publication: int | None) -> EndOfDay:
    """Make the figures."""
    return make_end_of_day(Lake(load_settings().lake_root), asked, publication)


@stage
def keep_figures(table: pl.DataFrame) -> None:
    """Add them to the lake's table `end_of_day`."""
    keep(Lake(load_settings().lake_root), table)


@stage
def report(made: EndOfDay) -> list[Path]:
    """Write them for people, as HTML and PDF."""
    return write_report(made, load_settings().report_folder)


@flow(name="end-of-day", flow_run_name="end-of-day", persist_result=False, validate_parameters=True)
def end_of_day(
    day: date | None = None,
    positions: Path | None = None,
    symbols: list[str] | None = None,
    publication: Annotated[int, Field(ge=1)] | None = None,
) -> State[object]:
    """Make daily bars, realised volatility, value at risk, expected shortfall and stress of a day in UTC.

    Args:
        day: Which day. By default the day before the one that the run was scheduled for, both in UTC.
        positions: A file of what is held, as CSV with the head `venue,symbol,quantity`. By default what the setting
            TWOFOLD_POSITIONS names; without any, no risk is told.
        symbols: Only these, and what is held. By default all that were traded.
        publication: The sequence of the publication that everything is made of, so that the same comes out again. By
            default the newest.
    """
    held = positions or load_settings().positions
    asked = Asked(
        day or flow_run.scheduled_start_time.astimezone(UTC).date() - timedelta(days=1),
        None if symbols is None else tuple(symbols),
        () if held is None else read_positions(held),
    )
    try:
        made = make(asked, publication)
    except NothingTraded as nothing:
        if day is not None:
            raise
        return Completed(name="Nothing traded", message=str(nothing))
    keep_figures(made.table)
    html, _ = report(unsearched(made))
    _show(made, html)
    provisional = made.table.filter(pl.col("finality") != "closed").height
    of = f"publication {made.origin.publication.sequence}"
    if provisional:
        get_run_logger().warning("The day is not closed in %s: make it again from a later one.", of)
    return Completed(
        message=f"{made.table.height} figures of {asked.day}, made of {of}; {provisional} of them are provisional."
    )


def _show(made: EndOfDay, html: Path) -> None:
    of_all = made.table.filter(pl.col("symbol") == "")
    value = pl.coalesce(pl.col("amount").cast(pl.Float64), "statistic").alias("value")
    rows = of_all.select("figure", value, "unit", "finality").to_dicts()
    if rows:
        of = f"publication {made.origin.publication.sequence}"
        described = f"All positions on {made.origin.day}, of {of}. The exact figures are in {html}."
        create_table_artifact(rows, key=ARTIFACT, description=described)
