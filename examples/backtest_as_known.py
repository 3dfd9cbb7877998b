"""A backtest that knows no more than could be known: bars as they were two seconds after their end, beside hindsight.

Late trades change bars that are over. A strategy that is tried on how they look today has seen what nobody saw then.

Run it while `make demo` runs: `python examples/backtest_as_known.py --symbol BTCUSDT`.
"""

from __future__ import annotations

import argparse

import polars as pl

import twofold

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--address", help="host:port of the serving API (default: what the settings say)")
parser.add_argument("--symbol", default="BTCUSDT")
parser.add_argument("--known-after", default="2s", help="how long after a bar's end one may act on it")
parser.add_argument("--bars", type=int, default=500)
arguments = parser.parse_args()


def gained(bars: pl.DataFrame, prices: pl.DataFrame) -> float:
    """What following the last move gains: long after a bar that rose, short after one that fell, for one bar each.

    Args:
        bars: what is decided by: `window_start` and `close`.
        prices: what is bought and sold at, likewise.
    """
    decided = bars.select("window_start", held=pl.col("close").cast(pl.Float64).diff().sign().shift(1))
    traded = prices.select("window_start", gain=pl.col("close").cast(pl.Float64).pct_change())
    total = decided.join(traded, on="window_start").select((pl.col("held") * pl.col("gain")).sum()).item()
    return float(total or 0.0)


with twofold.Client(arguments.address) as client:
    known = client.view("bars", symbol=arguments.symbol, last=arguments.bars, known_after=arguments.known_after).frame
    today = client.view("bars", symbol=arguments.symbol, last=arguments.bars).frame

both = known.join(today, on="window_start", suffix="_today")
differ = both.filter(pl.col("close") != pl.col("close_today"))
print(differ.select("window_start", "close", "close_today", "trades", "trades_today"))
print(f"{differ.height} of {both.height} bars close otherwise in hindsight.")
then, now = gained(known, today), gained(today, today)
print(f"Following the last move gains {then:+.4%} by what was known, {now:+.4%} by hindsight.")
