"""Bars as they change: prints each change until there were as many as asked for.

Run it while `make demo` runs: `python examples/follow_changes.py --symbol BTCUSDT --changes 20`. Stop serving and start
it again meanwhile: the stream goes on.
"""

from __future__ import annotations

import argparse
from itertools import islice

import twofold

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--address", help="host:port of the serving API (default: what the settings say)")
parser.add_argument("--symbol", default="BTCUSDT")
parser.add_argument("--changes", type=int, default=10)
arguments = parser.parse_args()

with twofold.Client(arguments.address) as client:
    for update in islice(client.stream("bars", symbol=arguments.symbol, last=5), arguments.changes + 1):
        if update.kind == "state":
            print(f"{update.frame.height} bars as they are ({update.because})")
        for row in update.frame.iter_rows(named=True):
            print(f"  {row['window_start']:%H:%M} {row['finality']:11} close {row['close']} trades {row['trades']}")
        for row in update.was.iter_rows(named=True):
            print(f"  {row['window_start']:%H:%M} was {row['finality']}: close {row['close']} trades {row['trades']}")
