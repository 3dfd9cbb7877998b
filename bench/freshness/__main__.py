"""`make bench-freshness`: the time from a trade's being due to be produced to its being in an HTTP answer.

The parts of `twofold up` are started, trades are produced and bars are asked for on schedules that are fixed in advance
(an open loop: being late at either is part of the time measured), and batch cycles go on meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from asking import Answer, ask
from load import PROBE_EVERY, PROBE_SOURCE, SYMBOLS, Load, probe_symbols
from producing import TICK_S
from rich.console import Console
from rich.table import Table
from system import NotReady, System, running_system
from waiting import percentile, waits_s

from twofold.source import SHIPPED_SOURCES, Source
from twofold.sources.market import Market
from twofold.sources.message import Message
from twofold.sources.writer import TradeWriter

HERE = Path(__file__).parent
PARTITIONS = 4
CYCLE_EVERY_S = 10
WARM_UP_S = 5
DRAIN_S = 5
LEAD_S = 6.0
ASK_EVERY_S = 0.01
P50_AIM_MS, P99_AIM_MS = 50, 250


def main() -> int:
    """Run the benchmark; the exit code is 1 when the measurement cannot be trusted."""
    parser = argparse.ArgumentParser(prog="bench/freshness", description=__doc__)
    parser.add_argument("--rate", type=int, default=5_000, help="trades a second (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=30, help="how long to measure (default: %(default)s)")
    arguments = parser.parse_args()
    sources = SHIPPED_SOURCES | {PROBE_SOURCE: Source(venue="probe", wire_format="canonical", ids="unique")}
    environment = {
        "TWOFOLD_PARTITIONS": str(PARTITIONS),
        "TWOFOLD_CYCLE_INTERVAL_S": str(CYCLE_EVERY_S),
        "TWOFOLD_SOURCES": json.dumps({name: source.model_dump() for name, source in sources.items()}),
    }
    try:
        with TemporaryDirectory(prefix="twofold-bench-") as folder, running_system(Path(folder), environment) as system:
            warm_up(system)
            return measure(system, arguments.rate, arguments.seconds, Path(folder) / "late.json")
    except NotReady as error:
        print(error)
        return 1


def warm_up(system: System) -> None:
    """Send some trades and wait until a batch cycle has published them."""
    settings = system.settings
    system.wait_for_topic()
    market = Market(SYMBOLS, time.time_ns() // 1000 - 60_000_000, Random(1))
    with TradeWriter(settings.brokers, settings.topic) as writer:
        for _, trade in market.trades(number / 1000 for number in range(10_000)):
            writer.write(Message(trade.symbol.encode(), trade.to_json(), []))
        # one trade of the probes' venue: a venue that nobody has traded at is no question that can be answered
        writer.write(Message(b"WARMUP", trade._replace(symbol="WARMUP").to_json(), [("source", PROBE_SOURCE.encode())]))
    system.wait_for_answers()


def measure(system: System, rate: int, seconds: int, late_file: Path) -> int:
    """Produce and ask, then report."""
    settings = system.settings
    length_s = WARM_UP_S + seconds
    start_s = time.monotonic() + LEAD_S
    symbols = probe_symbols(PARTITIONS)
    command = [sys.executable, str(HERE / "producing.py"), settings.brokers, settings.topic, str(PARTITIONS)]
    command += [str(rate), str(length_s), str(start_s), str(late_file)]
    print(f"Producing {rate:,} trades/s for {WARM_UP_S} s to warm up, then {seconds} s that count …", flush=True)
    before_s = system.cpu_s() | {"asking": time.process_time()}
    with subprocess.Popen(command) as producer:
        place = "/v1/views/bars?venue=probe"
        answers = ask(settings.serving_address, place, start_s, start_s + length_s + DRAIN_S, ASK_EVERY_S)
    after_s = system.cpu_s() | {"asking": time.process_time()}
    used_s = {name: after_s[name] - before_s.get(name, 0.0) for name in after_s}
    due_s = Load(rate, length_s, symbols).probes_due_s()
    waits = waits_s({s: [start_s + due for due in dues] for s, dues in due_s.items()}, answers)
    lost = sum(len(dues) - len(waits[symbol]) for symbol, dues in due_s.items())
    counted = [wait for s, dues in due_s.items() for due, wait in zip(dues, waits[s], strict=False) if due >= WARM_UP_S]
    during = [a for a in answers if start_s + WARM_UP_S <= a.due_s < start_s + length_s]
    cycles = during[-1].sequence - during[0].sequence
    late_s: list[float] = json.loads(late_file.read_text())[WARM_UP_S * rate :]
    report(counted, during, late_s, rate, cycles)
    spent = ", ".join(f"{name} {cpu_s:.1f}" for name, cpu_s in used_s.items())
    print(f"  CPU seconds in the {LEAD_S + length_s + DRAIN_S:.0f} s from before the start to after the end: {spent}")
    problems = [
        (producer.returncode != 0, "the producer failed"),
        (lost > 0, f"{lost} probes were never in an answer"),
        (cycles < 1, "no batch cycle ended while measuring"),
        (system.restarts() > 0, "a part had to be started again"),
    ]
    for occurred, sentence in problems:
        if occurred:
            print(f"NOT VALID: {sentence}.")
    return int(any(occurred for occurred, _ in problems))


def report(counted: list[float], during: list[Answer], late_s: list[float], rate: int, cycles: int) -> None:
    """Print figures, aims and settings."""
    table = Table(title="From a trade's being due to an HTTP answer that holds it")
    for column in ("milliseconds", "p50", "p95", "p99", "max", "count"):
        table.add_column(column, justify="left" if column == "milliseconds" else "right")
    rows = {
        "a trade's due to answered (freshness)": counted,
        "a trade's due to handed to the producer": late_s,
        "a request's own time, due to answered": [answer.received_s - answer.due_s for answer in during],
    }
    for label, values_s in rows.items():
        figures = [f"{percentile(values_s, share) * 1000:.1f}" for share in (0.5, 0.95, 0.99, 1.0)]
        table.add_row(label, *figures, f"{len(values_s):,}")
    Console(width=120).print(table)
    for share, aim_ms in ((0.5, P50_AIM_MS), (0.99, P99_AIM_MS)):
        reached_ms = percentile(counted, share) * 1000
        word = "met" if reached_ms <= aim_ms else "MISSED"
        print(f"p{share * 100:.0f}: {reached_ms:.1f} ms, aim at most {aim_ms} ms: {word}")
    print(f"""Batch cycles that ended while measuring: {cycles}
Settings:
  machine: {os.cpu_count()} processors, {platform.platform()}, Python {platform.python_version()}
  load: {rate:,} trades/s, open loop, {SYMBOLS} symbols of Zipf volume; one trade in {PROBE_EVERY} is a probe, on all \
{PARTITIONS} partitions
  requests: GET /v1/views/bars?venue=probe every {ASK_EVERY_S * 1000:.0f} ms, open loop, and waiting counts;
    serving says again what it said of the same state
  system: the parts of `twofold up`, Prefect among them; a batch cycle every {CYCLE_EVERY_S} s, standing back as there
  producer: librdkafka, acks=all, linger 5 ms, handing over what is due every {TICK_S * 1000:.0f} ms""")


if __name__ == "__main__":
    sys.exit(main())
