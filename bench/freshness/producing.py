"""The producer: sends the load when it is due, in a process of its own so that nobody's waiting delays it.

Run as `python producing.py BROKERS TOPIC PARTITIONS RATE SECONDS START RESULT`, START on the monotonic clock in
seconds; writes to RESULT how late each trade was handed to the producer, in seconds, as a JSON list.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path

from load import Load, probe_symbols

from twofold.sources.writer import TradeWriter


def main(brokers: str, topic: str, load: Load, start_s: float, result: Path) -> None:
    """Make the load, wait for the start, and send."""
    start_us = int((time.time() + start_s - time.monotonic()) * 1_000_000)
    schedule = list(load.schedule(start_us))
    late_s: list[float] = []
    gc.freeze()
    with TradeWriter(brokers, topic) as writer:
        for due_s, message in schedule:
            while (ahead_s := start_s + due_s - time.monotonic()) > 0:
                time.sleep(ahead_s)
            late_s.append(-ahead_s)
            writer.write(message)
    result.write_text(json.dumps(late_s))


if __name__ == "__main__":
    brokers, topic, partitions, rate, seconds, start, result = sys.argv[1:]
    load = Load(int(rate), int(seconds), probe_symbols(int(partitions)))
    main(brokers, topic, load, float(start), Path(result))
