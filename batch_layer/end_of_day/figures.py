"""Figures: all numbers of an end of day as one table, each with what it was made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import polars as pl

from twofold.errors import ArithmeticOverflow
from twofold.lake import Lake, TableSpec, TableWriter
from twofold.lane import positions_to_json
from twofold.ledger import Market
from twofold.publication import Publication

END_OF_DAY = TableSpec(
    "end_of_day",
    pl.Schema(
        {
            "venue": pl.String(),
            "symbol": pl.String(),
            "figure": pl.String(),
            "unit": pl.String(),
            "amount": pl.Decimal(38, 16),
            "statistic": pl.Float64(),
            "finality": pl.String(),
            "published_at": pl.Datetime("us", "UTC"),
            "cut": pl.String(),
            "day": pl.Date(),
            "sequence": pl.Int64(),
            "run": pl.String(),
        }
    ),
    ("day", "sequence", "run"),
)
"""A row for each figure: exact ones in `amount`, statistics in `statistic`; both null for want of history.

`venue` and `symbol` are empty for what is of all positions together. `sequence`, `published_at` and `cut` name the
publication; `run` is a hash of what else was given: symbols, positions and how many days are looked back on. `finality`
is `closed` once the publication's watermark has passed the day and no id is missing that may fall into it, else
`provisional`.
"""

_MOST = Decimal(10) ** 22
_WHOLE: Market = ("", "")


@dataclass(frozen=True)
class Figure:
    """One number: exact as a decimal, a statistic as a float, or None where there is too little history.

    Attributes:
        name: Which.
        unit: Of what.
        value: How many.
        market: Whose; `_WHOLE` for all positions together.
    """

    name: str
    unit: str
    value: Decimal | int | float | None
    market: Market = _WHOLE


@dataclass(frozen=True)
class Origin:
    """What figures were made of."""

    publication: Publication
    day: date
    run: str


def table_of(figures: Iterable[Figure], origin: Origin, finality: dict[Market, str]) -> pl.DataFrame:
    """The figures as rows of `END_OF_DAY`, in their order; what is of all positions is as final as the least of them.

    Raises:
        ArithmeticOverflow: an amount does not fit its column.
    """
    least = "closed" if set(finality.values()) == {"closed"} else "provisional"
    publication = origin.publication
    same = {
        "published_at": publication.published_at,
        "cut": positions_to_json(publication.cut),
        "day": origin.day,
        "sequence": publication.sequence,
        "run": origin.run,
    }
    return pl.DataFrame(list(_rows(figures, same, finality, least)), schema=END_OF_DAY.schema, orient="row")


def _rows(
    figures: Iterable[Figure], same: dict[str, object], finality: dict[Market, str], least: str
) -> Iterator[dict[str, object]]:
    for figure in figures:
        venue, symbol = figure.market
        exact = figure.value is not None and not isinstance(figure.value, float)
        amount = Decimal(figure.value) if exact and figure.value is not None else None
        if amount is not None and abs(amount) >= _MOST:
            raise ArithmeticOverflow(
                f"{figure.name} of {symbol or 'all positions'} is {amount:.3E}, which is too large."
            )
        yield {
            "venue": venue,
            "symbol": symbol,
            "figure": figure.name,
            "unit": figure.unit,
            "amount": amount,
            "statistic": None if exact else figure.value,
            "finality": finality.get(figure.market, least),
            **same,
        }


def keep(lake: Lake, table: pl.DataFrame) -> None:
    """Keep the figures of one run; those of the same run that are there already stay, since they are equal.

    Raises:
        Superseded: another run committed at the same instant; nothing was kept.
        LakeUnreachable: the table cannot be written.
    """
    writer = TableWriter(lake, END_OF_DAY)
    day, sequence, run = table.select("day", "sequence", "run").row(0)
    if not writer.file_count(f"day={day}/sequence={sequence}/run={run}/"):
        writer.append(table)
