"""Checks: what must hold of a record's fields before it is a trade, as columns; a broken check says why for one row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from twofold.decoding import exact, plausible
from twofold.decoding.dead_letter import Refusal

Row = dict[str, Any]

_SOUND = "__sound"


@dataclass(frozen=True, slots=True)
class Check:
    """A condition over columns, and what is said of a row that breaks it. A null breaks it too."""

    holds: pl.Expr
    refusal: Callable[[Row], Refusal]


FIELD_CHECKS = (
    Check(plausible.is_symbol_sound(), lambda row: plausible.symbol_refusal(row["symbol"])),
    Check(exact.is_exact("price_text", "price"), lambda row: exact.number_refusal("price", row["price_text"])),
    Check(exact.is_exact("size_text", "size"), lambda row: exact.number_refusal("size", row["size_text"])),
    Check(
        pl.col("notional") < exact.NOTIONAL_LIMIT,
        lambda row: exact.notional_refusal(row["price_text"], row["size_text"], row["notional"]),
    ),
    Check(plausible.is_event_plausible(), lambda row: plausible.event_refusal(row["event_us"], row["received_us"])),
)
"""What must hold of every record; the first broken check gives the reason."""


def collected_check(header: str) -> Check:
    """What must hold of the collector's time in the header."""
    return Check(
        plausible.is_collected_sound(),
        lambda row: plausible.collected_refusal(row["collected"], header, row["logged_us"]),
    )


def split_by(
    checks: Sequence[Check], frame: pl.DataFrame, arranged: Sequence[pl.Expr]
) -> tuple[pl.DataFrame, dict[int, Refusal]]:
    """Split off the rows that break a check, and arrange the others as columns; all in one query where none does.

    Returns:
        The rows that break none, arranged, and the refusals of the others by their column `row`.
    """
    holds = [check.holds for check in checks]
    both = frame.select(*arranged, pl.all_horizontal(holds).fill_null(value=False).alias(_SOUND))
    sound = both.drop_in_place(_SOUND)
    if sound.all():
        return both, {}
    broken = frame.filter(~sound).with_columns(
        held=pl.concat_list(holds).list.eval(pl.element().fill_null(value=False))
    )
    refused: dict[int, Refusal] = {}
    for row in broken.iter_rows(named=True):
        refused[row["row"]] = checks[row["held"].index(False)].refusal(row)
    return both.filter(sound), refused
