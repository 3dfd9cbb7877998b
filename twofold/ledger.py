"""The ledger: which trade ids have been seen, per venue and symbol, as closed intervals of whole numbers.

Numbers below 0 stand for keys (`twofold.decoding.trade_key`). Each is an interval of its own, also where two touch,
since each is forgotten in its own time (`twofold.horizon`).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self

import numpy as np
import polars as pl

from twofold.key_set import KeySet

INTERVAL_SCHEMA = pl.Schema(
    {"venue": pl.String(), "symbol": pl.String(), "first_id": pl.Int64(), "last_id": pl.Int64()}
)
"""Columns of intervals of ids, `first_id` to `last_id`, both inclusive."""

LEDGER_SCHEMA = pl.Schema(
    {
        **INTERVAL_SCHEMA,
        "first_event": pl.Datetime("us", "UTC"),
        "last_event": pl.Datetime("us", "UTC"),
        "first_arrival": pl.Datetime("us", "UTC"),
        "first_lane": pl.String(),
    }
)
"""Columns of the ledger's table: intervals of ids that have been seen, no two of which overlap.

`first_event`, `first_arrival` and `first_lane` are of the trade with the first id, `last_event` is of the one with the
last. Telling trades apart takes the ids alone; the rest tells what may be missing between two intervals.
"""

Market = tuple[str, str]
"""Venue and symbol: what an id belongs to."""

MARKET = ["venue", "symbol"]
WINNER = ["arrival_time", "lane", "offset"]
"""Of copies of one trade the least by these counts."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Closed intervals of ids, by market and first id; none touches the next.

    Attributes:
        markets: The markets that `places` point to.
        places: For each interval, where its market stands in `markets`.
        first_ids: For each interval, its first id.
        last_ids: For each interval, its last id, inclusive.
    """

    markets: list[Market] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    first_ids: list[int] = field(default_factory=list)
    last_ids: list[int] = field(default_factory=list)

    def __iter__(self) -> Iterator[tuple[Market, int, int]]:
        for place, first_id, last_id in zip(self.places, self.first_ids, self.last_ids, strict=True):
            yield self.markets[place], first_id, last_id

    def parted(self) -> tuple[Intervals, dict[Market, np.ndarray]]:
        """Those of ids that are numbers, and the numbers of keys by market."""
        if not self.first_ids or min(self.first_ids) >= 0:
            return self, {}
        keys: dict[Market, list[int]] = {}
        rest = Intervals(self.markets)
        for place, first_id, last_id in zip(self.places, self.first_ids, self.last_ids, strict=True):
            if first_id < 0:
                keys.setdefault(self.markets[place], []).append(first_id)
            else:
                rest.places.append(place)
                rest.first_ids.append(first_id)
                rest.last_ids.append(last_id)
        return rest, {market: np.array(numbers) for market, numbers in keys.items()}

    @property
    def frame(self) -> pl.DataFrame:
        """The intervals as `INTERVAL_SCHEMA`."""
        venues, symbols = ([self.markets[place][part] for place in self.places] for part in (0, 1))
        columns = {"venue": venues, "symbol": symbols, "first_id": self.first_ids, "last_id": self.last_ids}
        return pl.DataFrame(columns, schema=INTERVAL_SCHEMA)


@dataclass(frozen=True, slots=True)
class Sorted:
    """Trades told apart by a ledger.

    Attributes:
        fresh: Those that count, in their order.
        repeated: The others, copies of trades that count or have been counted.
        added: The ids of `fresh`.
        markets: The markets that `places` point to.
        places: For each of `fresh`, where its market stands in `markets`.
    """

    fresh: pl.DataFrame
    repeated: pl.DataFrame
    added: Intervals
    markets: list[Market]
    places: np.ndarray


class _Seen:
    """The ids seen of one market: intervals that are sorted, disjoint and do not touch, and keys' numbers."""

    __slots__ = ("first_ids", "keys", "last_ids")

    def __init__(self) -> None:
        self.first_ids: array[int] = array("q")
        self.last_ids: array[int] = array("q")
        self.keys = KeySet()

    def add(self, first_id: int, last_id: int) -> None:
        """Take in an interval, joined with those that it overlaps or touches."""
        begin = bisect_left(self.last_ids, first_id - 1)
        end = bisect_right(self.first_ids, last_id + 1, begin)
        if begin < end:
            first_id = min(first_id, self.first_ids[begin])
            last_id = max(last_id, self.last_ids[end - 1])
        self.first_ids[begin:end] = array("q", [first_id])
        self.last_ids[begin:end] = array("q", [last_id])

    def unseen(self, first_id: int, last_id: int) -> Iterator[tuple[int, int]]:
        """The parts of an interval that have not been seen."""
        if first_id < 0:
            if not self.keys.holds(np.array([first_id]))[0]:
                yield first_id, last_id
            return
        for place in range(bisect_left(self.last_ids, first_id), bisect_right(self.first_ids, last_id)):
            if first_id < self.first_ids[place]:
                yield first_id, self.first_ids[place] - 1
            first_id = self.last_ids[place] + 1
        if first_id <= last_id:
            yield first_id, last_id

    def holds(self, ids: np.ndarray) -> np.ndarray | bool:
        """Whether each of some ascending ids has been seen; a plain False where none has."""
        if ids[0] < 0:
            split = int(ids.searchsorted(0))
            held = np.zeros(len(ids), dtype=bool)
            held[:split] = self.keys.holds(ids[:split])
            if split < len(ids):
                held[split:] = self.holds(ids[split:])
            return held
        if not self.last_ids or ids[0] > self.last_ids[-1] or ids[-1] < self.first_ids[0]:
            return False
        interval = np.frombuffer(self.first_ids, np.int64).searchsorted(ids, side="right") - 1
        return (interval >= 0) & (np.frombuffer(self.last_ids, np.int64)[interval] >= ids)


class Ledger:
    """Seen trade ids. One owner adds to it; nobody else holds it."""

    def __init__(self, frame: pl.DataFrame | None = None) -> None:
        """Take over intervals, as `INTERVAL_SCHEMA`, that may overlap and stand in any order."""
        self._seen: dict[Market, _Seen] = {}
        if frame is not None and frame.height:
            joined = coalesce(frame)
            for (venue, symbol), part in joined.group_by(MARKET, maintain_order=True):
                seen = self._seen[str(venue), str(symbol)] = _Seen()
                first_ids, last_ids = (part[name].to_numpy() for name in ("first_id", "last_id"))
                split = int(first_ids.searchsorted(0))
                seen.keys.add(first_ids[:split])
                seen.first_ids.frombytes(first_ids[split:].tobytes())
                seen.last_ids.frombytes(last_ids[split:].tobytes())

    @property
    def frame(self) -> pl.DataFrame:
        """All intervals, as `INTERVAL_SCHEMA`, by market and first id."""
        intervals = Intervals(sorted(self._seen))
        for place, market in enumerate(intervals.markets):
            seen = self._seen[market]
            keys = seen.keys.ordered().tolist()
            intervals.first_ids.extend([*keys, *seen.first_ids])
            intervals.last_ids.extend([*keys, *seen.last_ids])
            intervals.places.extend([place] * (len(keys) + len(seen.first_ids)))
        return intervals.frame

    def copy(self) -> Self:
        """A ledger of the same ids with an owner of its own."""
        return deepcopy(self)

    def add(self, added: Intervals) -> None:
        """Take in more ids."""
        numbered, keys = added.parted()
        for market, first_id, last_id in numbered:
            self._seen_of(market).add(first_id, last_id)
        for market, numbers in keys.items():
            self._seen_of(market).keys.add(numbers)

    def _seen_of(self, market: Market) -> _Seen:
        seen = self._seen.get(market)
        if seen is None:
            seen = self._seen[market] = _Seen()
        return seen

    def unseen(self, intervals: pl.DataFrame) -> pl.DataFrame:
        """The parts of intervals (`INTERVAL_SCHEMA`) whose ids have not been seen."""
        parts: list[tuple[str, str, int, int]] = []
        for venue, symbol, first_id, last_id in intervals.select(INTERVAL_SCHEMA.names()).iter_rows():
            seen = self._seen.get((venue, symbol))
            left = [(first_id, last_id)] if seen is None else seen.unseen(first_id, last_id)
            parts += [(venue, symbol, *part) for part in left]
        return pl.DataFrame(parts, schema=INTERVAL_SCHEMA, orient="row")

    def sort_out(self, trades: pl.DataFrame) -> Sorted:
        """Tell the first occurrence of each trade from what was seen before or stands in `trades` more than once.

        Among trades of one id in `trades` the least (arrival time, lane, offset) is the one that counts.
        """
        if trades.is_empty():
            return Sorted(trades, trades, Intervals(), [], np.empty(0, np.int64))
        markets, places = _numbered(trades)
        ids = trades["trade_id"].to_numpy()
        order = np.lexsort((ids, places))
        market, ids = places[order], ids[order]
        seen = self._are_seen(markets, market, ids)
        again = (market[1:] == market[:-1]) & (ids[1:] == ids[:-1])
        if again.any():
            seen |= _are_beaten(trades, order, again)
        if not seen.any():
            return Sorted(trades, trades.clear(), _intervals(markets, market, ids), markets, places)
        added = _intervals(markets, market[~seen], ids[~seen])
        repeated = np.zeros(len(seen), dtype=bool)
        repeated[order] = seen
        mask = pl.Series(repeated)
        return Sorted(trades.filter(~mask), trades.filter(mask), added, markets, places[~repeated])

    def _are_seen(self, markets: list[Market], market: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Whether each id has been seen; they come by market and ascend in each."""
        are_seen = np.zeros(len(ids), dtype=bool)
        begins = [0, *(np.flatnonzero(market[1:] != market[:-1]) + 1).tolist(), len(ids)]
        for begin, end in pairwise(begins):
            if seen := self._seen.get(markets[market[begin]]):
                are_seen[begin:end] = seen.holds(ids[begin:end])
        return are_seen


def _are_beaten(trades: pl.DataFrame, order: np.ndarray, again: np.ndarray) -> np.ndarray:
    """Whether each trade, by the places of the order, is a copy of another one of `trades` that counts.

    Args:
        trades: in any order.
        order: their rows by market and id.
        again: for each place but the first, whether it has the market and id of the place before.
    """
    several: np.ndarray = np.append(again, [False]) | np.append([False], again)
    copies = trades[order[several]].with_columns(place=pl.Series(np.flatnonzero(several)))
    first = copies.sort(WINNER).unique([*MARKET, "trade_id"], keep="first")["place"]
    several[first.to_numpy()] = False
    return several


def _numbered(trades: pl.DataFrame) -> tuple[list[Market], np.ndarray]:
    """The markets of trades, and for each trade the place of its market among them."""
    named = list(zip(trades["venue"].to_list(), trades["symbol"].to_list(), strict=True))
    places = {market: place for place, market in enumerate(dict.fromkeys(named))}
    return list(places), np.fromiter(map(places.__getitem__, named), np.int64, len(named))


def _intervals(markets: list[Market], market: np.ndarray, ids: np.ndarray) -> Intervals:
    """Ids, by market and ascending in each, as intervals."""
    if not len(ids):
        return Intervals()
    # Compared by difference, so that an id at the top of the range does not overflow.
    starts_anew = np.flatnonzero((market[1:] != market[:-1]) | (ids[1:] - ids[:-1] != 1) | (ids[:-1] < 0)) + 1
    begins = np.concatenate([[0], starts_anew])
    ends = np.concatenate([starts_anew, [len(ids)]]) - 1
    return Intervals(markets, market[begins].tolist(), ids[begins].tolist(), ids[ends].tolist())


def coalesce(frame: pl.DataFrame) -> pl.DataFrame:
    """Sort intervals and join those that overlap or touch: `INTERVAL_SCHEMA`, or `LEDGER_SCHEMA` without overlaps."""
    ordered = frame.sort([*MARKET, "first_id"])
    reach = pl.col("last_id").cum_max().over(MARKET)
    # Compared by difference, so that an id at the top of the range does not overflow.
    step = pl.col("first_id") - reach.shift(1).over(MARKET)
    starts = ((step > 1) | ((step == 1) & (pl.col("first_id") <= 0))).fill_null(value=True)
    runs = ordered.with_columns(run=starts.cum_sum())
    outer = {"last_id": pl.col("last_id").max(), "last_event": pl.col("last_event").last()}
    kept = [outer.get(name, pl.col(name).first()) for name in frame.columns]
    return runs.group_by("run", maintain_order=True).agg(kept).drop("run")
