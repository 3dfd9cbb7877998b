"""Exclusions: trades that a person has taken out, by the places of their records, listed in each publication.

Batch cycles, speed folds and answers that are made again all pass over them by `is_excluded`, each by the list of the
publication that it stands on. Their records stay in `raw`, whole, and are counted as `excluded`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import orjson
import polars as pl

from twofold.lane import Positions


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Trades that do not count.

    Attributes:
        lane: The lane of their records.
        first_offset: The first offset, inclusive.
        next_offset: The offset after the last.
        symbol: Only trades of this symbol; empty for all.
        since: The number of the publication that first has it.
        reason: Why, in the words of whoever excluded them.
    """

    lane: str
    first_offset: int
    next_offset: int
    symbol: str = ""
    since: int = 0
    reason: str = ""


class Parted(NamedTuple):
    """Trades (`TRADE_SCHEMA`), told apart by whether they were excluded."""

    counted: pl.DataFrame
    excluded: pl.DataFrame


def is_excluded(exclusions: Iterable[Exclusion]) -> pl.Expr:
    """The rows that are excluded, by their `lane`, `offset` and `symbol`."""
    excluded = pl.lit(value=False)
    for each in exclusions:
        within = (pl.col("lane") == each.lane) & pl.col("offset").is_between(
            each.first_offset, each.next_offset, closed="left"
        )
        excluded |= within & (pl.col("symbol") == each.symbol) if each.symbol else within
    return excluded


def part(trades: pl.DataFrame, exclusions: Iterable[Exclusion]) -> Parted:
    """Tell trades apart, both in their order; without exclusions nothing is looked at."""
    listed = list(exclusions)
    if not listed:
        return Parted(trades, trades.clear())
    is_out = trades.select(excluded=is_excluded(listed))["excluded"]
    return Parted(trades.filter(~is_out), trades.filter(is_out))


def reaching(exclusions: Iterable[Exclusion], cut: Positions) -> tuple[Exclusion, ...]:
    """Those that reach beyond a cut; the others are about what nobody reads any more."""
    return tuple(each for each in exclusions if each.next_offset > cut.get(each.lane, 0))


def exclusions_to_json(exclusions: Iterable[Exclusion]) -> str:
    """Exclusions as a publication has them."""
    return orjson.dumps(list(exclusions)).decode()


def exclusions_from_json(text: str) -> tuple[Exclusion, ...]:
    """Read what `exclusions_to_json` wrote."""
    return tuple(Exclusion(**each) for each in orjson.loads(text))
