"""The prices that were published of each market about the time of a cycle's trades."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import polars as pl

from batch_layer.quality.rules import NEAR_HIGH, NEAR_LOW
from twofold.aggregates import Max, Min
from twofold.edition import Edition, carried
from twofold.lake import Lake
from twofold.ledger import MARKET

_DAY = timedelta(days=1)
_NONE = pl.DataFrame(
    schema={"venue": pl.String(), "symbol": pl.String(), NEAR_LOW: pl.Float64(), NEAR_HIGH: pl.Float64()}
)


def published_prices(
    lake: Lake, tables: Mapping[str, int], editions: Iterable[Edition], first: date, last: date
) -> pl.DataFrame:
    """The least and greatest price of each market from the day before `first` to that after `last`, if there are any.

    They are read from a view that has both of all trades; without one there are none.

    Args:
        lake: where the views are.
        tables: the published versions.
        editions: the views.
        first: UTC day of the first trade that they are for.
        last: and of the last.

    Returns:
        `venue`, `symbol`, `near_low` and `near_high`, as floats: they are for comparing orders of magnitude.

    Raises:
        LakeUnreachable: a table cannot be read.
    """
    for edition in carried(editions):
        names = _low_and_high(edition)
        version = tables.get(edition.table)
        if names is None or version is None:
            continue
        low, high = names
        files = [file for file in lake.files(edition.table, version) if _day_of(file) in _days(first, last)]
        if not files:
            return _NONE
        rows = lake.read_files(edition.table, files, [*MARKET, low, high])
        near = {NEAR_LOW: pl.col(low).min().cast(pl.Float64), NEAR_HIGH: pl.col(high).max().cast(pl.Float64)}
        return rows.group_by(MARKET).agg(**near)
    return _NONE


def _low_and_high(edition: Edition) -> tuple[str, str] | None:
    """The columns of least and greatest price of all trades, if a view has both."""
    found = {
        type(its): name
        for name, its in edition.view.aggregates.items()
        if isinstance(its, (Min, Max)) and its.column == "price" and not its.where
    }
    return (found[Min], found[Max]) if len(found) > 1 else None


def _days(first: date, last: date) -> set[str]:
    day, days = first - _DAY, set()
    while day <= last + _DAY:
        days.add(str(day))
        day += _DAY
    return days


def _day_of(file: str) -> str:
    """The day that a data file of a view is of, by its address."""
    return file.rpartition("day=")[2].partition("/")[0]
