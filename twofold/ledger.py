"""The ledger: which trade ids have been seen, per venue and symbol, as closed intervals of whole numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

LEDGER_SCHEMA = pl.Schema({"venue": pl.String(), "symbol": pl.String(), "first_id": pl.Int64(), "last_id": pl.Int64()})
"""Columns of the ledger: ids `first_id` to `last_id`, both inclusive, have been seen."""

_MARKET = ["venue", "symbol"]
_WINNER = ["arrival_time", "lane", "offset"]


@dataclass(frozen=True, slots=True)
class Sorted:
    """Trades told apart by a ledger.

    Attributes:
        fresh: Those that count, in their order.
        repeated: Where the others stand: their `lane` and `offset`.
        added: The ids of `fresh` as intervals, sorted and joined where they touch, as `LEDGER_SCHEMA`.
    """

    fresh: pl.DataFrame
    repeated: pl.DataFrame
    added: pl.DataFrame


class Ledger:
    """Seen trade ids. Its frame is sorted, and its intervals are disjoint and do not touch."""

    def __init__(self, frame: pl.DataFrame | None = None) -> None:
        self.frame = coalesce(pl.DataFrame(schema=LEDGER_SCHEMA) if frame is None else frame)

    def sort_out(self, trades: pl.DataFrame) -> Sorted:
        """Tell the first occurrence of each trade from what was seen before or stands in `trades` more than once.

        Among trades of one id in `trades` the least (arrival time, lane, offset) is the one that counts.
        """
        if trades.is_empty():
            return Sorted(trades, trades.select("lane", "offset"), pl.DataFrame(schema=LEDGER_SCHEMA))
        markets, market = _numbered(trades)
        ids = trades["trade_id"].to_numpy()
        order = np.lexsort((ids, market))
        again = np.zeros(len(order), dtype=bool)
        again[1:] = (np.diff(market[order]) == 0) & (np.diff(ids[order]) == 0)
        if again.any():
            return self._sort_out_repeats(trades)
        seen = self._seen(markets, market, ids)
        order = order[~seen[order]]
        added = _runs(markets, market[order], ids[order])
        if not seen.any():
            return Sorted(trades, trades.select("lane", "offset").clear(), added)
        mask = pl.Series(seen)
        return Sorted(trades.filter(~mask), trades.filter(mask).select("lane", "offset"), added)

    def with_ids(self, added: pl.DataFrame) -> Ledger:
        """The ledger with more intervals, as `LEDGER_SCHEMA`."""
        return Ledger(pl.concat([self.frame, added])) if added.height else self

    def _sort_out_repeats(self, trades: pl.DataFrame) -> Sorted:
        ranked = trades.with_row_index("row").sort([*_MARKET, "trade_id", *_WINNER])
        first = ranked.unique([*_MARKET, "trade_id"], keep="first", maintain_order=True)["row"]
        wins = pl.Series(np.isin(np.arange(trades.height), first.to_numpy()))
        sorted_out = self.sort_out(trades.filter(wins))
        repeated = pl.concat([trades.filter(~wins).select("lane", "offset"), sorted_out.repeated])
        return Sorted(sorted_out.fresh, repeated, sorted_out.added)

    def _seen(self, markets: pl.DataFrame, market: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """For each id, whether the last interval of its market that starts at or before it reaches it."""
        near = self.frame.join(markets, on=_MARKET).filter(
            pl.col("last_id") >= pl.col("least"), pl.col("first_id") <= pl.col("most")
        )
        if near.is_empty():
            return np.zeros(len(ids), dtype=bool)
        codes, firsts, lasts = (near[name].to_numpy() for name in ("code", "first_id", "last_id"))
        size = len(firsts)
        is_id = np.repeat([0, 1], [size, len(ids)])
        order = np.lexsort((is_id, np.concatenate([firsts, ids]), np.concatenate([codes, market])))
        before = np.maximum.accumulate(np.where(order < size, np.arange(len(order)), -1))
        interval = np.where(before >= 0, order[before], 0)
        hit = (before >= 0) & (order >= size)
        place = np.where(hit, order - size, 0)
        hit &= (codes[interval] == market[place]) & (lasts[interval] >= ids[place])
        seen = np.zeros(len(ids), dtype=bool)
        seen[place[hit]] = True
        return seen


def _runs(markets: pl.DataFrame, market: np.ndarray, ids: np.ndarray) -> pl.DataFrame:
    """Sorted ids of numbered markets as intervals."""
    if not len(ids):
        return pl.DataFrame(schema=LEDGER_SCHEMA)
    starts = np.flatnonzero(np.concatenate([[True], (np.diff(market) != 0) | (np.diff(ids) > 1)]))
    ends = np.concatenate([starts[1:], [len(ids)]]) - 1
    runs = pl.DataFrame({"code": market[starts], "first_id": ids[starts], "last_id": ids[ends]})
    return runs.join(markets, on="code").select(LEDGER_SCHEMA.names())


def _numbered(trades: pl.DataFrame) -> tuple[pl.DataFrame, np.ndarray]:
    """The markets of trades, numbered, with their least and most ids; and the number of each trade's market."""
    markets = trades.group_by(_MARKET).agg(least=pl.col("trade_id").min(), most=pl.col("trade_id").max())
    markets = markets.with_row_index("code").with_columns(pl.col("code").cast(pl.Int64))
    market = trades.select(_MARKET).join(markets, on=_MARKET, how="left", maintain_order="left")["code"]
    return markets, market.to_numpy()


def coalesce(frame: pl.DataFrame) -> pl.DataFrame:
    """Sort intervals and join those that overlap or touch."""
    ordered = frame.sort([*_MARKET, "first_id"])
    reach = pl.col("last_id").cum_max().over(_MARKET)
    # Compared by difference, so that an id at the top of the range does not overflow.
    starts = (pl.col("first_id") - reach.shift(1).over(_MARKET) > 1).fill_null(value=True)
    runs = ordered.with_columns(run=starts.cum_sum())
    joined = runs.group_by("run", maintain_order=True).agg(
        pl.col("venue").first(), pl.col("symbol").first(), pl.col("first_id").min(), pl.col("last_id").max()
    )
    return joined.select(LEDGER_SCHEMA.names())
