"""How much memory the speed worker takes when far more groups are offered than it may hold, and nobody asks it.

Run as `python bench/memory [--groups N] [--memory-mib M] [--folder DIR]`, or by `make bench-memory`. It starts a real
Kafka and a real speed worker, offers so many distinct (symbol, minute) groups, and looks at the worker's memory: first
with no batch side, when it has to stop reading at its bound, and then while batch cycles move the cut, up to the end of
the log, when it has to be live again. The exit code is 1 if it ever held more than is promised.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "ingest"))

from filling import TopicFiller
from offering import SYMBOLS, distinct_groups
from watching import Watched

from serving.speed_side import SpeedClient
from twofold.event_log.embedded import EmbeddedKafka
from twofold.event_log.jars import default_cache
from twofold.event_log.topic import ensure_topic
from twofold.lake import Lake
from twofold.port import free_port
from twofold.publication import Publications, found_lake

MEBIBYTE = 1024**2
PARTITIONS = 4
SLACK = 1.15
"""Times the setting that is promised not to be passed: looks are half a second apart, and the allocator keeps some."""

_FOLDED_WITHIN_S = 900.0


def main() -> int:
    """Run the benchmark, print what was found, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python bench/memory", description="Memory of the speed worker at its bound.")
    parser.add_argument("--groups", type=int, default=10_000_000, help="distinct (symbol, minute) groups")
    parser.add_argument("--memory-mib", type=int, default=2048, help="TWOFOLD_SPEED_MEMORY_BYTES, in MiB")
    parser.add_argument("--cycle-records", type=int, default=1_000_000, help="TWOFOLD_CYCLE_MAX_RECORDS")
    parser.add_argument("--folder", type=Path, help="where data and logs go; by default a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="twofold-memory-", dir=options.folder) as folder:
        return measure(Path(folder), options.groups, options.memory_mib * MEBIBYTE, options.cycle_records)


def measure(folder: Path, groups: int, memory_bytes: int, cycle_records: int) -> int:
    """Offer the groups to a worker and print its memory; 1 if it was more than the bound."""
    print(f"{groups:,} distinct groups of {SYMBOLS:,} symbols, bound {memory_bytes / MEBIBYTE:,.0f} MiB, {folder}")
    with EmbeddedKafka(folder / "kafka", free_port(), default_cache()) as kafka:
        environment = os.environ | {
            "TWOFOLD_DATA_FOLDER": str(folder),
            "TWOFOLD_BOOTSTRAP_SERVERS": kafka.brokers,
            "TWOFOLD_SPEED_ADDRESS": f"127.0.0.1:{free_port()}",
            "TWOFOLD_SPEED_MEMORY_BYTES": str(memory_bytes),
            "TWOFOLD_CYCLE_MAX_RECORDS": str(cycle_records),
        }
        lake = Lake(str(folder / "lake"))
        found_lake(lake)
        ensure_topic(kafka.brokers, "trades", PARTITIONS)
        began_s = time.monotonic()
        with TopicFiller(kafka.brokers, "trades", PARTITIONS) as filler:
            for message in distinct_groups(groups):
                filler.add(message)
        print(f"  offered in {time.monotonic() - began_s:.0f} s")
        with (folder / "speed.log").open("wb") as log:
            worker = subprocess.Popen([sys.executable, "-m", "twofold", "speed"], env=environment, stderr=log)
        try:
            return _watch(Watched(worker.pid), lake, environment, memory_bytes, groups)
        finally:
            worker.terminate()
            worker.wait(30)
            print("  the worker's last words: " + " | ".join((folder / "speed.log").read_text().splitlines()[-3:]))


def _watch(worker: Watched, lake: Lake, environment: dict[str, str], memory_bytes: int, groups: int) -> int:
    worker.wait_until_quiet(_FOLDED_WITHIN_S)
    alone = worker.peak_bytes
    _say("no batch side, nobody asks", worker)
    while True:
        done = subprocess.run(
            [sys.executable, "-m", "twofold", "cycle"], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(done.stdout, done.stderr)
            return 1
        publication = Publications(lake).newest()
        _say(f"publication {publication.sequence}, {sum(publication.cut.values()):,} below its cut", worker)
        if sum(publication.cut.values()) >= groups:
            break
    worker.wait_until_quiet(_FOLDED_WITHIN_S)
    _say("all published", worker)
    client = SpeedClient(environment["TWOFOLD_SPEED_ADDRESS"])
    side = client.follow(Publications(lake).newest().sequence, None, 0)
    client.close()
    peak = worker.peak_bytes
    print(f"  state {side.header.state}, positions {json.dumps(side.header.positions)}")
    shares = f"{alone / memory_bytes:.2f} of the bound by itself, {peak / memory_bytes:.2f} with cycles"
    print(f"peak {shares}; {SLACK} is promised")
    return int(side.header.state != "live" or peak > SLACK * memory_bytes)


def _say(when: str, worker: Watched) -> None:
    now, peak = worker.resident_bytes / MEBIBYTE, worker.peak_bytes / MEBIBYTE
    print(f"  {when}: {now:,.0f} MiB, at most {peak:,.0f} MiB so far", flush=True)


if __name__ == "__main__":
    sys.exit(main())
