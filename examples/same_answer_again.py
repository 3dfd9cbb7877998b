"""An answer kept by its receipt alone, and made again from it: the same rows, to the last digit.

Run it while `make demo` runs: `python examples/same_answer_again.py`.
"""

from __future__ import annotations

import argparse
import asyncio

import twofold

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--address", help="host:port of the serving API (default: what the settings say)")
parser.add_argument("--symbol", default="BTCUSDT")
arguments = parser.parse_args()


async def main() -> None:
    """Ask, keep the token, and have the answer made again."""
    async with twofold.AsyncClient(arguments.address) as client:
        bars = await client.view("bars", symbol=arguments.symbol, interval="5m", last=12)
        again = await client.again(bars.receipt["token"])
    same = [str(close) for close in bars.frame["close"]] == [row["close"] for row in again["rows"]]
    print(f"{bars.frame.height} bars, token {bars.receipt['token'][:20]}…")
    print("Made again: " + ("the same." if same else "NOT the same."))


asyncio.run(main())
