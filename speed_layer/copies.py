"""The copies of trades that a fold has taken since its base: exactly which, and what each of them said.

A fold cannot subtract, so whoever is to take a copy back must fold what remains. This keeps all that takes, as packed
rows of numbers, `ROW.itemsize` bytes a trade (57), and 12 more for those among which has been looked. Of a trade key it
keeps the number alone, by which trades are told apart and ordered.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import repeat
from typing import Generic, TypeVar

import numpy as np
import polars as pl
import pyarrow as pa

from twofold.decoding import TRADE_SCHEMA
from twofold.decoding.exact import notional_of
from twofold.ledger import MARKET, WINNER, Market, Sorted

ROW = np.dtype(
    [
        ("market", np.int32),
        ("lane", np.int32),
        ("trade_id", np.int64),
        ("price", np.int64),
        ("size", np.int64),
        ("event_time", np.int64),
        ("arrival_time", np.int64),
        ("offset", np.int64),
        ("sells", np.bool_),
    ]
)
"""A copy: market and lane by their numbers, price and size in units of 10^-8, times in UTC microseconds."""

TRADE = [*MARKET, "trade_id"]
"""The columns that name a trade."""

RECENT = 256
"""Micro-batches that are kept as they came; at more, or at `RECENT_ROWS`, they are packed."""

RECENT_ROWS = 100_000
"""Rows that take more than 4 MiB when packed: from there on numpy asks for large pages, which cost far less."""

_FAN = 8
_LARGEST_ROWS = 1_000_000  # larger chunks are not joined, so that joining needs little memory
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 by the golden ratio: keys of one market follow its ids

_NO_KEY = pl.lit(None, dtype=pl.String).alias("trade_key")

Name = TypeVar("Name", bound=Hashable)


class Numbering(Generic[Name]):
    """Numbers for names, from 0 on. Names are only ever added, by one thread; any may read."""

    def __init__(self) -> None:
        self.names: list[Name] = []
        self._numbers: dict[Name, int] = {}

    def of(self, names: Iterable[Name]) -> np.ndarray:
        """The numbers of some names; -1 for one that has none."""
        return np.fromiter(map(self._numbers.get, names, repeat(-1)), np.int32)

    def given(self, names: Sequence[Name]) -> np.ndarray:
        """The numbers of some names; those that have none get one."""
        numbers = self.of(names)
        if (numbers >= 0).all():
            return numbers
        for name in names:
            if name not in self._numbers:
                self._numbers[name] = len(self.names)
                self.names.append(name)
        return self.of(names)


@dataclass(frozen=True)
class Chunk:
    """Packed copies (`ROW`) in the order in which they were taken, with the versions and where each begins."""

    rows: np.ndarray
    versions: np.ndarray
    begins: np.ndarray
    level: int = 0

    @cached_property
    def index(self) -> tuple[np.ndarray, np.ndarray]:
        """The keys of all rows, ascending, and the places of their rows."""
        keys = _keys(self.rows["market"], self.rows["trade_id"])
        order = np.argsort(keys, kind="stable").astype(np.uint32)
        return keys[order], order

    def find(self, keys: np.ndarray) -> np.ndarray:
        """The rows that have one of these keys."""
        ordered, order = self.index
        begin, end = ordered.searchsorted(keys, "left"), ordered.searchsorted(keys, "right")
        count = end - begin
        within = np.arange(count.sum()) - np.repeat(count.cumsum() - count, count)
        found: np.ndarray = self.rows[order[np.repeat(begin, count) + within]]
        return found

    def since(self, version: int) -> np.ndarray:
        """The rows that came after a version."""
        place = int(self.versions.searchsorted(version, "right"))
        begin = int(self.begins[place]) if place < len(self.begins) else len(self.rows)
        return self.rows[begin:]


@dataclass(frozen=True)
class Taken:
    """Copies as a micro-batch gave them (`TRADE_SCHEMA`), and where the market of each stands in `markets`."""

    version: int
    trades: pl.DataFrame
    markets: Sequence[Market]
    places: np.ndarray


@dataclass(frozen=True)
class Copies:
    """All copies taken, and which of these were beaten. Immutable: taking more makes a new one.

    Attributes:
        chunks: Packed, in the order in which they were taken.
        recent: What has been taken since, `recent_rows` rows.
        beaten: Coordinates (`lane`, `offset`) of copies in whose place one with another body was taken.
    """

    chunks: tuple[Chunk, ...] = ()
    recent: tuple[Taken, ...] = ()
    recent_rows: int = 0
    beaten: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema={"lane": pl.String, "offset": pl.Int64}))
    markets: Numbering[Market] = field(default_factory=Numbering)
    lanes: Numbering[str] = field(default_factory=Numbering)

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(len(chunk.rows) for chunk in self.chunks) + self.recent_rows

    @property
    def all_chunks(self) -> tuple[Chunk, ...]:
        """The chunks, and the recent ones packed as one more."""
        if not self.recent:
            return self.chunks
        versions = np.array([taken.version for taken in self.recent])
        begins = np.cumsum([0, *(taken.trades.height for taken in self.recent[:-1])])
        return (*self.chunks, Chunk(self._rows(self.recent), versions, begins))

    def add(self, version: int, taken: Sorted) -> Copies:
        """These and the fresh ones of `taken`."""
        if taken.fresh.is_empty():
            return self
        recent = (*self.recent, Taken(version, taken.fresh, taken.markets, taken.places))
        more = replace(self, recent=recent, recent_rows=self.recent_rows + taken.fresh.height)
        is_full = len(recent) > RECENT or more.recent_rows >= RECENT_ROWS
        return replace(more, chunks=more.all_chunks, recent=(), recent_rows=0) if is_full else more

    def packed(self) -> Copies:
        """The same in few chunks, with nothing left as it came, to be looked through."""
        chunks: list[Chunk] = []
        for chunk in self.all_chunks:
            chunks.append(chunk)
            while _is_to_be_joined(chunks[-_FAN:]):
                chunks[-_FAN:] = [_joined(chunks[-_FAN:])]
        return replace(self, chunks=tuple(chunks), recent=(), recent_rows=0)

    def since(self, version: int) -> pl.DataFrame:
        """All that were taken after a version (`TRADE_SCHEMA`)."""
        packed = self._frame([chunk.since(version) for chunk in self.chunks])
        recent = [taken.trades.with_columns(_NO_KEY) for taken in self.recent if taken.version > version]
        return pl.concat([packed, *recent])

    def without(self, beaten: pl.DataFrame) -> Copies:
        """The same, with more of them beaten; `beaten` has the columns `lane` and `offset`."""
        return replace(self, beaten=pl.concat([self.beaten, beaten.select("lane", "offset")]))

    def of(self, trades: pl.DataFrame) -> pl.DataFrame:
        """All copies of some trades (columns `TRADE` of both), those beaten too. These must be `packed`."""
        keys = _keys(self.markets.of(trades.select(MARKET).iter_rows()), trades["trade_id"].to_numpy())
        found = [chunk.find(keys) for chunk in self.chunks]
        return self._frame(found).join(trades, on=TRADE, how="semi")

    def in_windows(self, windows: pl.DataFrame, window_us: int) -> pl.DataFrame:
        """The copies that count in some windows (`MARKET`, `window_start`). These must be `packed`."""
        markets = self.markets.of(windows.select(MARKET).unique().iter_rows())
        found = self._frame([chunk.rows[np.isin(chunk.rows["market"], markets)] for chunk in self.chunks])
        start = pl.col("event_time").dt.truncate(f"{window_us}us").alias("window_start")
        return self._counting(found.with_columns(start).join(windows, on=[*MARKET, "window_start"], how="semi"))

    def newest_event_us(self) -> int | None:
        """The newest event time of those that count, UTC microseconds."""
        left = self._left(self._frame([chunk.rows for chunk in self.all_chunks]))
        newest = left["event_time"].to_physical().max()
        return newest if isinstance(newest, int) else None

    def _counting(self, copies: pl.DataFrame) -> pl.DataFrame:
        """Of all copies of some trades, those that count."""
        return self._left(copies).sort(WINNER).unique(TRADE, keep="first").select(TRADE_SCHEMA.names())

    def _left(self, copies: pl.DataFrame) -> pl.DataFrame:
        return copies.join(self.beaten, on=["lane", "offset"], how="anti") if self.beaten.height else copies

    def _rows(self, parts: Sequence[Taken]) -> np.ndarray:
        trades = pl.concat(part.trades for part in parts)
        rows = np.empty(trades.height, ROW)
        rows["market"] = np.concatenate([self.markets.given(part.markets)[part.places] for part in parts])
        runs = trades["lane"].rle().struct.unnest()
        rows["lane"] = np.repeat(self.lanes.given(runs["value"].to_list()), runs["len"].to_numpy())
        for name in ("price", "size"):
            rows[name] = _units(trades[name])
        for name in ("trade_id", "offset"):
            rows[name] = trades[name].to_numpy()
        for name in ("event_time", "arrival_time"):
            rows[name] = trades[name].to_physical().to_numpy()
        rows["sells"] = (trades["side"] == "sell").to_numpy()
        return rows

    def _frame(self, parts: Sequence[np.ndarray]) -> pl.DataFrame:
        """Rows as `TRADE_SCHEMA`."""
        rows = np.concatenate(parts) if parts else np.empty(0, ROW)
        venues, symbols = (
            pl.Series(name, [market[part] for market in self.markets.names], dtype=pl.String)
            for part, name in enumerate(MARKET)
        )
        lanes = pl.Series("lane", self.lanes.names, dtype=pl.String)
        market = pl.Series(rows["market"])
        columns = [
            venues.gather(market),
            symbols.gather(market),
            lanes.gather(pl.Series(rows["lane"])),
            price := _decimals("price", rows),
            size := _decimals("size", rows),
            notional_of(price, size).alias("notional"),
            pl.Series("trade_key", [None], dtype=pl.String).new_from_index(0, len(rows)),
            pl.Series("side", ["buy", "sell"]).gather(pl.Series(rows["sells"]).cast(pl.UInt32)),
            *(pl.Series(name, rows[name]) for name in ("trade_id", "offset")),
            *(pl.Series(name, rows[name]).cast(TRADE_SCHEMA[name]) for name in ("event_time", "arrival_time")),
        ]
        return pl.DataFrame(columns).select(TRADE_SCHEMA.names())


def _keys(market: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """A number for each trade; that of two trades may be the same, though hardly ever is."""
    return market.astype(np.uint64) * _SPREAD + ids.astype(np.uint64)


def _units(decimals: pl.Series) -> np.ndarray:
    """Decimals of 18 digits, none below 0, in units of their last place. Arrow holds two words each, the low first."""
    array = decimals.to_arrow()
    words = np.frombuffer(array.buffers()[1], np.int64)
    return words[2 * array.offset : 2 * (array.offset + len(array)) : 2]


def _decimals(name: str, rows: np.ndarray) -> pl.Series:
    words = np.zeros((len(rows), 2), np.int64)
    words[:, 0] = rows[name]
    decimals = pa.decimal128(18, 8)  # as `TRADE_SCHEMA` has it
    array = pa.Array.from_buffers(decimals, len(rows), [None, pa.py_buffer(words.tobytes())])
    return pl.Series(name, array, dtype=TRADE_SCHEMA[name])


def _is_to_be_joined(chunks: Sequence[Chunk]) -> bool:
    alike = len(chunks) == _FAN and len({chunk.level for chunk in chunks}) == 1
    return alike and sum(len(chunk.rows) for chunk in chunks) <= _LARGEST_ROWS


def _joined(chunks: Sequence[Chunk]) -> Chunk:
    before = np.cumsum([0, *(len(chunk.rows) for chunk in chunks[:-1])])
    return Chunk(
        np.concatenate([chunk.rows for chunk in chunks]),
        np.concatenate([chunk.versions for chunk in chunks]),
        np.concatenate([chunk.begins + begin for chunk, begin in zip(chunks, before, strict=True)]),
        chunks[0].level + 1,
    )
