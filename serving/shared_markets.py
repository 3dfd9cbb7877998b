"""Markets whose trades come in the lanes of several workers: found by their ids, and folded here, of all copies.

A symbol moves to another lane when partitions are added, and a resend may be in another lane than the trade. Each
worker alone would count such a trade; of all its copies the least by (arrival, lane, offset) counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from twofold.account import Account
from twofold.fold import fold
from twofold.ledger import MARKET, WINNER, Intervals, Ledger, Market
from twofold.view import View

_TRADE = [*MARKET, "trade_id"]


@dataclass(frozen=True)
class Settled:
    """What becomes of the copies of shared markets.

    Attributes:
        partials: By view.
        moves: By lane, what the workers' accounts say wrongly: copies folded that lose to one of another worker.
    """

    partials: Mapping[str, pl.DataFrame]
    moves: Mapping[str, Account]


def settle(copies: Sequence[pl.DataFrame], views: Mapping[str, View]) -> Settled:
    """Choose among the copies that each worker has taken (`TRADE_SCHEMA`), and fold those that count."""
    of_each = pl.concat(_least(taken) for taken in copies)
    counting = _least(of_each)
    losing = of_each.join(counting, on=["lane", "offset"], how="anti")
    lost = dict(losing["lane"].value_counts().iter_rows())
    moves = {lane: Account(folded=-count, duplicates=count) for lane, count in lost.items()}
    return Settled(fold(views.values(), counting), moves)


def markets_of_both(ids: pl.DataFrame, seen: Ledger) -> set[Market]:
    """The markets of which some of these ids (`INTERVAL_SCHEMA`) have been seen."""
    parts = pl.concat([_counted(ids, "asked"), _counted(seen.unseen(ids), "unseen")], how="diagonal")
    sums = parts.group_by(MARKET).agg(pl.col("asked", "unseen").sum())
    return set(sums.filter(pl.col("asked") > pl.col("unseen")).select(MARKET).iter_rows())


def intervals(ids: pl.DataFrame) -> Intervals:
    """Intervals as a ledger takes them (`INTERVAL_SCHEMA`)."""
    firsts, lasts = (ids[name].to_list() for name in ("first_id", "last_id"))
    return Intervals(list(ids.select(MARKET).iter_rows()), list(range(ids.height)), firsts, lasts)


def _least(copies: pl.DataFrame) -> pl.DataFrame:
    return copies.sort(WINNER).unique(_TRADE, keep="first", maintain_order=True)


def _counted(ids: pl.DataFrame, name: str) -> pl.DataFrame:
    return ids.select(*MARKET, (pl.col("last_id") - pl.col("first_id") + 1).alias(name))
