"""The correction: what has been folded of trades of which a lesser copy has come, taken back and folded anew.

Which copy of a trade counts is settled by (arrival, lane, offset) and not by what is read first, so a copy that counts
may have to give way. If the lesser one says the same, only the accounts tell; otherwise the windows that the beaten one
stands in are folded again, of the copies that remain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from speed_layer.copies import TRADE, Copies
from speed_layer.partial_log import PartialLog
from twofold.account import Account, Accounts, add_accounts
from twofold.fold import fold
from twofold.ledger import MARKET, WINNER, Ledger, Sorted
from twofold.view import View

BODY = ["price", "size", "side", "event_time"]
"""What a copy says; the rest tells copies apart."""


@dataclass(frozen=True)
class Correction:
    """What lesser copies change.

    Attributes:
        taken: The lesser copies; from now on they count.
        moved: Where those stand that counted till now (`lane`).
        otherwise: Those of `taken` that have another body than the one that counted.
        beaten: All copies of the same trades that have other bodies than these.
    """

    taken: Sorted
    moved: pl.DataFrame
    otherwise: pl.DataFrame
    beaten: pl.DataFrame

    def accounts(self, before: Accounts) -> dict[str, Account]:
        """Accounts in which the lesser copies are folded, and those that counted before are duplicates."""
        gains = dict(self.taken.fresh["lane"].value_counts().iter_rows())
        losses = dict(self.moved["lane"].value_counts().iter_rows())
        moves = {lane: gains.get(lane, 0) - losses.get(lane, 0) for lane in {*gains, *losses}}
        return add_accounts(before, {lane: Account(folded=n, duplicates=-n) for lane, n in moves.items()})

    def logs(
        self, before: Mapping[str, PartialLog], copies: Copies, views: Mapping[str, View], version: int
    ) -> dict[str, PartialLog]:
        """Logs in which all windows of beaten copies are made of what remains of `copies`."""
        if self.beaten.is_empty():
            return dict(before)
        logs = {}
        for name, view in views.items():
            start = pl.col("event_time").dt.truncate(f"{view.window_us}us").alias("window_start")
            windows = self.beaten.select(*MARKET, start).unique()
            remaining = fold([view], copies.in_windows(windows, view.window_us))[name]
            logs[name] = before[name].replaced(version, windows, remaining)
        return logs


def find_correction(copies: Copies, base: Ledger, repeated: pl.DataFrame) -> Correction | None:
    """Look among repeats for copies that are less than those that count.

    Args:
        copies: all that the fold has taken, `packed`.
        base: the ids below the cut; what is below has been settled there.
        repeated: trades whose ids have been seen, or stand beside a lesser copy (`TRADE_SCHEMA`).
    """
    above = base.sort_out(repeated)
    held = copies.of(above.fresh)
    counting = held.sort(WINNER).unique(TRADE, keep="first").select(*TRADE, *WINNER, *BODY)
    pairs = above.fresh.with_row_index("row").join(counting, on=TRADE, suffix="_held")
    lesser = pairs.filter(_is_less())
    if lesser.is_empty():
        return None
    rows = lesser["row"]
    taken = replace(above, fresh=above.fresh[rows], places=above.places[rows.to_numpy()])
    otherwise = taken.fresh.filter(lesser.select(_says_otherwise()).to_series())
    winning = otherwise.select(*TRADE, *(pl.col(name).alias(f"{name}_held") for name in BODY))
    beaten = (
        held.join(winning, on=TRADE).filter(_says_otherwise()).join(copies.beaten, on=["lane", "offset"], how="anti")
    )
    return Correction(taken, lesser.select(lane="lane_held"), otherwise, beaten)


def _is_less() -> pl.Expr:
    less, equal = pl.lit(value=False), pl.lit(value=True)
    for name in WINNER:
        less |= equal & (pl.col(name) < pl.col(f"{name}_held"))
        equal &= pl.col(name) == pl.col(f"{name}_held")
    return less


def _says_otherwise() -> pl.Expr:
    return pl.any_horizontal(pl.col(name) != pl.col(f"{name}_held") for name in BODY)
