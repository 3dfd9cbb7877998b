"""The other side: the same bars with quixstreams. Runs in a venv of its own and imports nothing of the product.

Run as `python quix.py BROKERS TOPIC RECORDS STATE_FOLDER RESULT`; writes one JSON object to RESULT.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from quixstreams import Application  # type: ignore[import-not-found]  # it lives in a venv of its own

WINDOW_MS = 60_000
GRACE_MS = 10_000

SETTINGS = (
    f"tumbling window of {WINDOW_MS // 1000} s, grace {GRACE_MS // 1000} s, reduce() over floats, current();\n"
    "    state in RocksDB with its changelog topic; at least once, as by default; no output topic, no de-duplication"
)
"""current() gives every bar up to the last trade, as ours does. final() gives closed ones only, for a little less: 44 s
against 47 s a million, means of four runs each in turn, whose ranges overlap."""

Bar = dict[str, Any]


def first(trade: dict[str, Any]) -> Bar:
    """Begin a bar."""
    price, size = float(trade["price"]), float(trade["size"])
    return {
        "trades": 1,
        "open": price,
        "high": price,
        "low": price,
        "close": price,
        "volume": size,
        "notional": price * size,
    }


def add(bar: Bar, trade: dict[str, Any]) -> Bar:
    """Add a trade to a bar; open and close are by arrival."""
    price, size = float(trade["price"]), float(trade["size"])
    return {
        "trades": bar["trades"] + 1,
        "open": bar["open"],
        "high": max(price, bar["high"]),
        "low": min(price, bar["low"]),
        "close": price,
        "volume": bar["volume"] + size,
        "notional": bar["notional"] + price * size,
    }


def event_time_ms(trade: dict[str, Any], _headers: object, _timestamp_ms: int, _kind: object) -> int:
    """Say when a trade happened."""
    return int(trade["event_time_us"] // 1000)


class Stopper:
    """Stops the application once every record has been processed."""

    def __init__(self, records: int) -> None:
        self._left = records
        self.app: Application | None = None

    def processed(self, _topic: str, _partition: int, _offset: int) -> None:
        """Count one record."""
        self._left -= 1
        if self._left == 0 and self.app is not None:
            self.app.stop()


class LateTrades:
    """Counts trades that came after their window had closed."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, *_about: object) -> bool:
        """Count one, and do not log it."""
        self.count += 1
        return False


def main(brokers: str, topic: str, records: int, state: Path, result: Path) -> None:
    """Fold the topic and write bars and times."""
    stopper = Stopper(records)
    app = Application(
        broker_address=brokers,
        consumer_group=f"bench-{time.time_ns()}",
        auto_offset_reset="earliest",
        state_dir=state,
        on_message_processed=stopper.processed,
        loglevel="WARNING",
    )
    stopper.app = app
    latest: dict[tuple[str, int], Bar] = {}
    source = app.topic(topic, key_deserializer="str", value_deserializer="json", timestamp_extractor=event_time_ms)
    late = LateTrades()
    windows = app.dataframe(source).tumbling_window(WINDOW_MS, grace_ms=GRACE_MS, on_late=late)
    bars = windows.reduce(add, first).current()

    def keep(window: dict[str, Any], key: str, _timestamp_ms: int, _headers: object) -> None:
        latest[key, window["start"]] = window["value"]

    bars.update(keep, metadata=True)

    started_cpu_s, started_s = time.process_time(), time.monotonic()
    app.run()
    took_s = time.monotonic() - started_s
    rows = [{"symbol": symbol, "start_ms": start_ms} | bar for (symbol, start_ms), bar in latest.items()]
    result.write_text(
        json.dumps(
            {"start_up_cpu_s": started_cpu_s, "took_s": took_s, "rows": rows, "late": late.count, "settings": SETTINGS}
        )
    )


if __name__ == "__main__":
    brokers, topic, records, state, result = sys.argv[1:]
    main(brokers, topic, int(records), Path(state), Path(result))
