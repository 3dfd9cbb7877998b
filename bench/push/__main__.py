"""`make bench-push`: the time from a trade's being due to be produced to each of many readers of a stream having it.

The parts of `twofold up` are started; readers in a process of their own follow one symbol by server-sent events, and
trades of it are produced on a schedule that is fixed in advance (an open loop), while batch cycles go on.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.append(str(Path(__file__).parents[1] / "freshness"))

from rich.console import Console
from rich.table import Table
from system import NotReady, System, running_system
from waiting import percentile

from twofold.sources.market import Trade
from twofold.sources.message import Message
from twofold.sources.writer import TradeWriter

HERE = Path(__file__).parent
SYMBOL = "PUSHED"
PATH = f"/v1/views/bars/stream?symbol={SYMBOL}&interval=1d&last=1"
CYCLE_EVERY_S = 10
WARM_UP_S = 3
OPENING_S = 8.0
DRAIN_S = 3.0
P99_AIM_MS = 250
FILES_OF_A_PROCESS = 200


def main() -> int:
    """Run the benchmark; the exit code is 1 when the measurement cannot be trusted."""
    parser = argparse.ArgumentParser(prog="bench/push", description=__doc__)
    parser.add_argument("--readers", type=int, default=1_000, help="connections (default: %(default)s)")
    parser.add_argument("--rate", type=int, default=50, help="trades a second (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=20, help="how long to measure (default: %(default)s)")
    arguments = parser.parse_args()
    allow_files(arguments.readers + FILES_OF_A_PROCESS)
    environment = {"TWOFOLD_PARTITIONS": "4", "TWOFOLD_CYCLE_INTERVAL_S": str(CYCLE_EVERY_S)}
    try:
        with TemporaryDirectory(prefix="twofold-bench-") as folder, running_system(Path(folder), environment) as system:
            warm_up(system)
            return measure(system, arguments.readers, arguments.rate, arguments.seconds, Path(folder) / "seen.json")
    except NotReady as error:
        print(error)
        return 1


def allow_files(count: int) -> None:
    """Let each process hold so many files open, connections among them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def trade(trade_id: int, time_us: int) -> Message:
    """A trade of the symbol that is read."""
    return Message(SYMBOL.encode(), Trade(SYMBOL, trade_id, "100.00", "1.0", "buy", time_us).to_json(), [])


def warm_up(system: System) -> None:
    """Send a trade and wait until a batch cycle has published it."""
    settings = system.settings
    system.wait_for_topic()
    with TradeWriter(settings.brokers, settings.topic) as writer:
        writer.write(trade(1, time.time_ns() // 1000))
    system.wait_for_answers()


def measure(system: System, readers: int, rate: int, seconds: int, result: Path) -> int:
    """Read and produce, then report."""
    settings = system.settings
    length_s = WARM_UP_S + seconds
    start_s = time.monotonic() + OPENING_S
    host, port = settings.serving_address.split(":")
    times = [str(start_s), str(rate), str(length_s), str(start_s + length_s + DRAIN_S)]
    command = [sys.executable, str(HERE / "readers.py"), host, port, PATH, str(readers), str(result), *times]
    before_s, before = system.cpu_s(), system.sequence()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reading:
        is_ready = reading.stdout is not None and reading.stdout.readline().strip() == "ready"
        opened_late_s = time.monotonic() - start_s
        late_s = produce(system, start_s, rate, rate * length_s)
    used_s = {name: cpu_s - before_s.get(name, 0.0) for name, cpu_s in system.cpu_s().items()}
    if reading.returncode or not is_ready:
        print("NOT VALID: the readers failed.")
        return 1
    seen = json.loads(result.read_text())
    lost = sum(rate * length_s - len(waits) for waits in seen["waits_s"])
    counted = [wait for waits in seen["waits_s"] for wait in waits[WARM_UP_S * rate :]]
    cycles = system.sequence() - before
    report(counted, late_s[WARM_UP_S * rate :], seen)
    spent = ", ".join(f"{name} {cpu_s:.1f}" for name, cpu_s in used_s.items())
    print(f"""  trades that a reader never had: {lost:,} of {rate * length_s * readers:,}
  readers told the newest state in place of what they missed: {seen["conflated"]} times; streams that ended: \
{seen["ended"]}
Settings:
  machine: {os.cpu_count()} processors, {platform.platform()}, Python {platform.python_version()}
  load: {rate} trades/s of one symbol, open loop, for {seconds} s after {WARM_UP_S} s to warm up; no other symbol trades
  readers: {readers:,} connections to GET {PATH}, in one process on the same machine
  system: the parts of `twofold up`, Prefect among them; {cycles} batch cycles ended meanwhile
  CPU seconds, from before the readers came: {spent}""")
    problems = [
        (opened_late_s > 0, f"the readers were there {opened_late_s:.1f} s after the start"),
        (lost > 0, "trades were lost to readers"),
        (seen["ended"] > 0, "streams ended"),
        (cycles < 1, "no batch cycle ended while measuring"),
        (system.restarts() > 0, "a part had to be started again"),
    ]
    for occurred, sentence in problems:
        if occurred:
            print(f"NOT VALID: {sentence}.")
    return int(any(occurred for occurred, _ in problems))


def produce(system: System, start_s: float, rate: int, count: int) -> list[float]:
    """Send trades when they are due; how late each was handed to the producer, in seconds."""
    late_s = []
    with TradeWriter(system.settings.brokers, system.settings.topic) as writer:
        for number in range(count):
            due_s = start_s + number / rate
            time.sleep(max(0.0, due_s - time.monotonic()))
            writer.write(trade(number + 2, time.time_ns() // 1000))
            late_s.append(time.monotonic() - due_s)
    return late_s


def report(counted: list[float], late_s: list[float], seen: dict[str, list[int]]) -> None:
    """Print figures and the aim."""
    table = Table(title="From a trade's being due to a reader's having it")
    for column in ("milliseconds", "p50", "p95", "p99", "max", "count"):
        table.add_column(column, justify="left" if column == "milliseconds" else "right")
    for label, values_s in {"delivered to a reader": counted, "handed to the producer": late_s}.items():
        figures = [f"{percentile(values_s, share) * 1000:.1f}" for share in (0.5, 0.95, 0.99, 1.0)]
        table.add_row(label, *figures, f"{len(values_s):,}")
    Console(width=120).print(table)
    reached_ms = percentile(counted, 0.99) * 1000
    print(f"p99: {reached_ms:.1f} ms, aim at most {P99_AIM_MS} ms: {'met' if reached_ms <= P99_AIM_MS else 'MISSED'}")
    print(f"  events to each reader: {min(seen['events'])} to {max(seen['events'])}")


if __name__ == "__main__":
    sys.exit(main())
