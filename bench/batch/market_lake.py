"""A lake whose table `trades` has made-up trades, any number of them, written by the product's own writer.

They are made as columns, a million at a time. All lakes end at one time of day, so that those of several sizes differ
in their size and not in what the newest day holds.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl

from twofold.account import Account
from twofold.clock import utc_now
from twofold.decoding import DECODER_HASH, TRADE_SCHEMA
from twofold.edition import founded
from twofold.lake import Lake, TableWriter
from twofold.publication import Publication, found_lake, publish
from twofold.source import SHIPPED_SOURCES
from twofold.tables import TRADES
from twofold.views import VIEWS
from twofold.watermark import newest_arrivals_us, witness

SYMBOLS = 200
A_DAY = 10_000_000
AT_ONCE = 1_000_000
SEED = 20_240_809
LANE = "9a1e6a52-7d0c-4c6b-b5a3-3d1f0e5c2b11/0"
SOURCE = "simulator"
END_US = int(datetime(2024, 8, 9, 2, 24, tzinfo=UTC).timestamp()) * 1_000_000
STEP_US = 86_400_000_000 // A_DAY

_PRICE_TYPE = TRADE_SCHEMA["price"]


class MarketMaker:
    """Makes trades in the order of their times, `STEP_US` apart, with ids that count up per symbol."""

    def __init__(self, before_end: int) -> None:
        self._random = np.random.default_rng(SEED)
        self._at_us = END_US - before_end * STEP_US
        self._ids = np.zeros(SYMBOLS, dtype=np.int64)
        self._offset = 0
        weights = 1.0 / np.arange(1, SYMBOLS + 1)
        self._weights = weights / weights.sum()

    def trades(self, count: int) -> pl.DataFrame:
        """The next trades, as `TRADE_SCHEMA`."""
        random, symbols = self._random, self._random.choice(SYMBOLS, size=count, p=self._weights)
        frame = pl.DataFrame(
            {
                "number": symbols,
                "price": random.integers(10**8, 10**13, count),
                "size": random.integers(1, 10**10, count),
                "buys": random.random(count) < 0.5,
                "offset": np.arange(self._offset, self._offset + count),
                "event_us": self._at_us + STEP_US * np.arange(count),
            }
        )
        first = pl.Series(self._ids)
        rows = frame.select(
            venue=pl.lit(SHIPPED_SOURCES[SOURCE].venue),
            symbol=pl.format("S{}USDT", "number"),
            trade_id=first.gather(symbols) + pl.int_range(pl.len()).over("number"),
            trade_key=pl.lit(None, dtype=pl.String),
            price=_decimal("price"),
            size=_decimal("size"),
            side=pl.when("buys").then(pl.lit("buy")).otherwise(pl.lit("sell")),
            event_time=_time(pl.col("event_us")),
            arrival_time=_time((pl.col("event_us") + 999) // 1_000 * 1_000),
            lane=pl.lit(LANE),
            offset="offset",
        )
        self._ids += np.bincount(symbols, minlength=SYMBOLS)
        self._at_us += STEP_US * count
        self._offset += count
        wide = pl.Decimal(38, 8)
        notional = (pl.col("price").cast(wide) * pl.col("size").cast(wide)).cast(TRADE_SCHEMA["notional"])
        return rows.with_columns(notional=notional).select(TRADE_SCHEMA.names()).cast(dict(TRADE_SCHEMA))


def fill(lake: Lake, count: int) -> None:
    """Fill `trades` of a new lake with so many, in one publication, as far as a rebuild of a view reads it."""
    found_lake(lake)
    market = MarketMaker(count)
    writer = TableWriter(lake, TRADES)
    witnesses: dict[str, list[int]] = {}
    arrivals: dict[str, int] = {}
    for begin in range(0, count, AT_ONCE):
        trades = market.trades(min(AT_ONCE, count - begin))
        writer.append(trades)
        witnesses, arrivals = witness(witnesses, trades), newest_arrivals_us(arrivals, trades)
    publication = Publication(
        sequence=1,
        published_at=utc_now(),
        cut={LANE: count},
        tables={TRADES.name: writer.version},
        editions=founded(VIEWS, 1),
        decoder_hash=DECODER_HASH,
        witnesses=witnesses,
        arrivals=arrivals,
        accounts={LANE: Account(read=count, folded=count)},
    )
    publish(lake, publication)


def _decimal(column: str) -> pl.Expr:
    """A number of units of the eighth place as a decimal."""
    text = pl.col(column).cast(pl.String).str.zfill(9)
    return pl.concat_str(text.str.head(-8), pl.lit("."), text.str.tail(8)).cast(_PRICE_TYPE)


def _time(us: pl.Expr) -> pl.Expr:
    return us.cast(pl.Datetime("us", "UTC"))
