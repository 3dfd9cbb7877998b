"""The newest minute bars of one symbol as a Polars frame, and what they were made of.

Run it while `make demo` runs: `python examples/bars_to_polars.py --symbol BTCUSDT`.
"""

from __future__ import annotations

import argparse

import polars as pl

import twofold

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--address", help="host:port of the serving API (default: what the settings say)")
parser.add_argument("--symbol", default="BTCUSDT")
arguments = parser.parse_args()

with twofold.Client(arguments.address) as client:
    bars = client.view("bars", symbol=arguments.symbol, last=100)

settled = bars.frame.filter(pl.col("finality") != "provisional")
print(bars.frame.select("window_start", "open", "high", "low", "close", "volume", "finality").tail(10))
print(f"{settled.height} of {bars.frame.height} bars are final.")
print(f"publication {bars.receipt['sequence']}, {bars.freshness['lag_records']} records behind the log")
