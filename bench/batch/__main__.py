"""`make bench-batch`: a full rebuild of the minute bars by both engines, beside bare Polars and DuckDB queries.

A lake is filled with made-up trades, and each side makes the bars of all of them, in turns, each turn in a process of
its own. All bars are compared, value by value, before a figure is printed. The exit code is 1 where they differ.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import polars as pl
from market_lake import A_DAY, AT_ONCE, SYMBOLS, fill
from rich.console import Console
from rich.table import Table
from sides import ROUNDS, SIDES

from batch_layer.view_change.folding import FOLDED_AT_ONCE
from twofold.lake import Lake

OURS, SPARK, *BARE = SIDES
MEBIBYTE = 1024**2


def main() -> int:
    """Run the benchmark; the exit code is 1 when the results differ."""
    parser = argparse.ArgumentParser(prog="bench/batch", description=__doc__)
    parser.add_argument("--trades", type=int, default=20_000_000, help="how many trades (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=3, help="how often each side is run (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="where the lake goes; by default a temporary folder")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="twofold-bench-", dir=options.folder) as folder:
        lake, began_s = Path(folder, "lake"), time.monotonic()
        fill(Lake(str(lake)), options.trades)
        print(f"Filled with {options.trades:,} trades in {time.monotonic() - began_s:.0f} s.", flush=True)
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in SIDES}
        bars = None
        for turn in range(options.turns):
            for place, name in enumerate(SIDES):
                found, made = run_side(name, lake, Path(folder, f"{turn}-{place}"))
                if bars is not None and not (made.schema == bars.schema and made.equals(bars)):
                    print(f"The bars of {name} DIFFER from those of {OURS}.")
                    return 1
                bars = made
                runs[name].append(found)
        report(runs, options.trades, 0 if bars is None else bars.height)
    return 0


def run_side(name: str, lake: Path, folder: Path) -> tuple[dict[str, Any], pl.DataFrame]:
    """Run one side once: what it took, and its bars."""
    folder.mkdir()
    command = [sys.executable, str(Path(__file__).with_name("sides.py")), name, str(lake), str(folder)]
    environment = os.environ | {"POLARS_MAX_THREADS": "2"}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name} ended with exit code {done.returncode}:\n{done.stderr[-4000:]}")
    return orjson.loads((folder / "found.json").read_bytes()), pl.read_parquet(folder / "bars.parquet")


def report(runs: dict[str, list[dict[str, Any]]], count: int, groups: int) -> None:
    """Print figures, ratios and settings."""
    table = Table(title=f"{count:,} trades to {groups:,} bars; medians of {len(runs[OURS])} turns, warm")
    for column in ("", "trades/s", "CPU s per million", "start-up, CPU s", "peak MiB"):
        table.add_column(column, justify="right" if column else "left")
    took_s = {name: median(each["took_s"] for each in found) for name, found in runs.items()}
    cpu_s = {name: median(each["work_cpu_s"] for each in found) for name, found in runs.items()}
    for name, found in runs.items():
        start_up = median(each["start_up_cpu_s"] for each in found)
        peak = max(each["peak_bytes"] for each in found) / MEBIBYTE
        table.add_row(
            name, f"{count / took_s[name]:,.0f}", f"{cpu_s[name] / count * 1e6:.3f}", f"{start_up:.1f}", f"{peak:,.0f}"
        )
    Console(width=110).print(table)
    for label, figures in (("trades/s", took_s), ("CPU", cpu_s)):
        better = min(figures[name] for name in BARE)
        print(
            f"{label}: {OURS} is {better / figures[OURS]:.2f} of the better bare query (wanted: 0.8), "
            f"{figures[SPARK] / figures[OURS]:.1f} times Spark (wanted: 8)"
        )
    print(f"All bars are equal, value by value and type by type. Load of the machine now: {os.getloadavg()[0]:.1f}")
    print(f"Settings: {os.cpu_count()} processors, {platform.platform()}, Python {platform.python_version()}")
    print(f"  trades: {SYMBOLS} symbols of Zipf volume, {A_DAY:,} a day, {AT_ONCE:,} a data file, in order of time")
    print(f"  each turn a process of its own, {ROUNDS} rounds of which the last is measured; sides take turns")
    print(f"  {OURS}: {FOLDED_AT_ONCE:,} trades at once; first and last keep their places, revisions counted")
    for name, found in runs.items():
        print(f"  {name}: {found[0]['settings']}")


if __name__ == "__main__":
    sys.exit(main())
