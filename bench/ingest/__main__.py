"""`make bench-ingest`: our speed worker and quixstreams over the same topic, on this machine, in one go.

A Kafka is started, two topics are filled with the same trades (one with poison between them), and each side folds
1-minute bars from the first record to the last. Every result is checked against the oracle before a figure is printed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from checking import check_ours, check_quix
from filling import RECORDS_A_BATCH, TopicFiller
from measuring import Run, run
from oracle import Bars, Oracle
from quix_venv import quix_python
from rich.console import Console
from rich.table import Table
from workload import LATE_SHARE, POISON_SHARE, SEED, SYMBOLS, TRADES_A_SECOND, Poison, trades

from twofold.event_log import jars
from twofold.event_log.embedded import EmbeddedKafka
from twofold.event_log.topic import ensure_topic
from twofold.port import free_port

HERE = Path(__file__).parent
PARTITIONS = 4
CLEAN, POISONED = "bench-clean", "bench-poisoned"
SHOWN_DIFFERENCES = 5


def main() -> int:
    """Run the benchmark; the exit code is 1 when a result is wrong."""
    arguments = argparse.ArgumentParser(prog="bench/ingest", description=__doc__)
    arguments.add_argument("--trades", type=int, default=2_000_000, help="how many trades (default: %(default)s)")
    count = arguments.parse_args().trades
    python = str(quix_python())
    with TemporaryDirectory(prefix="twofold-bench-") as name:
        folder = Path(name)
        with EmbeddedKafka(folder / "kafka", free_port(), jars.default_cache()) as kafka:
            expected, broken, value_bytes = fill(kafka.brokers, count)
            ours = [str(HERE / "ours.py"), kafka.brokers]
            clean = run([sys.executable, *ours, CLEAN, str(folder / "clean")], count, folder / "clean")
            poisoned = run(
                [sys.executable, *ours, POISONED, str(folder / "poisoned")], count + broken, folder / "poisoned"
            )
            theirs = [str(HERE / "quix.py"), kafka.brokers, CLEAN, str(count), str(folder / "state")]
            quix = run([python, *theirs, str(folder / "quix")], count, folder / "quix")
    right = [
        verdict("Twofold", check_ours(clean.found, expected, 0)),
        verdict("Twofold with poison", check_ours(poisoned.found, expected, broken)),
        verdict("quixstreams", check_quix(quix.found, expected)),
    ]
    report(clean, poisoned, quix, count, value_bytes / count)
    return 0 if all(right) else 1


def fill(brokers: str, count: int) -> tuple[Bars, int, int]:
    """Fill both topics and fold the oracle; return its bars, the number of broken records, and the bytes of trades."""
    started_s = time.monotonic()
    print(f"Filling two topics with {count:,} trades …", flush=True)
    for topic in (CLEAN, POISONED):
        ensure_topic(brokers, topic, PARTITIONS)
    oracle, poison, broken, value_bytes = Oracle(), Poison(), 0, 0
    with TopicFiller(brokers, CLEAN, PARTITIONS) as clean, TopicFiller(brokers, POISONED, PARTITIONS) as poisoned:
        for message in trades(count):
            value_bytes += len(message.value or b"")
            oracle.add(message.value or b"")
            clean.add(message)
            if (bad := poison.of(message)) is not None:
                poisoned.add(bad)
                broken += 1
            poisoned.add(message)
    print(f"Filled, and folded by the oracle, in {time.monotonic() - started_s:.0f} s.", flush=True)
    return oracle.bars(), broken, value_bytes


def verdict(side: str, differences: Iterable[str]) -> bool:
    """Say whether a side agrees with the oracle, with the first differences if not."""
    shown = list(islice(differences, SHOWN_DIFFERENCES))
    print(f"{side}: {'agrees with the oracle' if not shown else 'DIFFERS from the oracle'}", flush=True)
    for difference in shown:
        print(f"  {difference}")
    return not shown


def report(clean: Run, poisoned: Run, quix: Run, count: int, value_bytes: float) -> None:
    """Print settings, figures and ratios."""
    table = Table(title=f"{count:,} trades of {value_bytes:.0f} bytes, 1-minute bars by event time")
    table.add_column("")
    for side in ("Twofold", f"Twofold, {POISON_SHARE:.0%} poison", "quixstreams 3.28.0"):
        table.add_column(side, justify="right")
    lines: list[tuple[str, Callable[[Run], str]]] = [
        ("CPU seconds per million messages", lambda side: f"{side.cpu_s_per_million:.2f}"),
        ("the same without start-up", lambda side: f"{side.warm_cpu_s_per_million:.2f}"),
        ("start-up, CPU seconds", lambda side: f"{side.start_up_cpu_s:.2f}"),
        ("messages per second", lambda side: f"{side.records_a_second:,.0f}"),
        ("peak memory, MiB", lambda side: f"{side.peak_mib:,.0f}"),
    ]
    for label, figure in lines:
        table.add_row(label, *(figure(side) for side in (clean, poisoned, quix)))
    for fate in ("lost", "dead_letters"):
        counts = [sum(account[fate] for account in side.found["accounts"].values()) for side in (clean, poisoned)]
        theirs = f"{quix.found['late']:,}" if fate == "lost" else "-"
        table.add_row(fate.replace("_", " "), *(f"{count:,}" for count in counts), theirs)
    Console(width=120).print(table)
    poison_ratio = poisoned.cpu_s_per_million / clean.cpu_s_per_million
    warm_poison_ratio = poisoned.warm_cpu_s_per_million / clean.warm_cpu_s_per_million
    warm_ratio = quix.warm_cpu_s_per_million / clean.warm_cpu_s_per_million
    print(f"""CPU ratios, start-up and all (without start-up):
  quixstreams / Twofold: {quix.cpu_s / clean.cpu_s:.1f} ({warm_ratio:.1f})
  Twofold with poison / without: {poison_ratio:.2f} ({warm_poison_ratio:.2f})
Settings:
  machine: {os.cpu_count()} processors, {platform.platform()}, Python {platform.python_version()}
  topic: {PARTITIONS} partitions, {RECORDS_A_BATCH} records a batch, uncompressed, LogAppendTime
  trades: {SYMBOLS} symbols of Zipf volume, {TRADES_A_SECOND:,} a second of event time, seed {SEED},
    {LATE_SHARE:.1%} of them up to 5 s late
  Twofold: the speed worker's fold from an empty base; views bars and taker_flow, decimals, ledger and dead letters on
  quixstreams: {quix.found["settings"]}
  CPU: user and system time of the process and its children (wait4), from start to end""")


if __name__ == "__main__":
    sys.exit(main())
