"""The producer: sends the load when it is due, in a process of its own so that nobody's waiting delays it.

It is librdkafka's, which takes a tenth of the processor time of a producer in Python: the load is not what is measured.

Run as `python producing.py BROKERS TOPIC PARTITIONS RATE SECONDS START RESULT`, START on the monotonic clock in
seconds; writes to RESULT how late each trade was handed to the producer, in seconds, as a JSON list.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path

from confluent_kafka import KafkaError, Producer
from confluent_kafka import Message as Report
from load import Load, probe_symbols

TICK_S = 0.002
"""The producer wakes so often, and hands over all that is due; what waited for it is late by so much."""

_FLUSH_S = 30.0


def main(brokers: str, topic: str, load: Load, start_s: float, result: Path) -> int:
    """Make the load, wait for the start, and send; the exit code is 1 when a trade was not acknowledged."""
    start_us = int((time.time() + start_s - time.monotonic()) * 1_000_000)
    schedule = list(load.schedule(start_us))
    late_s: list[float] = []
    failed: list[KafkaError] = []

    def settle(error: KafkaError | None, _: Report) -> None:
        if error is not None:
            failed.append(error)

    producer = Producer(
        {"bootstrap.servers": brokers, "acks": "all", "linger.ms": 5, "partitioner": "murmur2_random", "log_level": 3}
    )
    producer.list_topics(topic)
    gc.freeze()
    for due_s, (key, value, headers) in schedule:
        while (ahead_s := start_s + due_s - time.monotonic()) > 0:
            producer.poll(0)
            time.sleep(max(ahead_s, TICK_S))
        late_s.append(-ahead_s)
        producer.produce(topic, value, key, headers=headers, on_delivery=settle)
    left = producer.flush(_FLUSH_S)
    result.write_text(json.dumps(late_s))
    if left or failed:
        print(f"Of {len(schedule):,} trades {left + len(failed):,} were not acknowledged: {failed[:1]}")
    return int(bool(left or failed))


if __name__ == "__main__":
    brokers, topic, partitions, rate, seconds, start, result = sys.argv[1:]
    load = Load(int(rate), int(seconds), probe_symbols(int(partitions)))
    sys.exit(main(brokers, topic, load, float(start), Path(result)))
