"""What the smoke knows of a capture: how many records it holds, of which symbols, and how long it took."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_FIRST_US = int(datetime(2024, 8, 8, 23, 54, 55, tzinfo=UTC).timestamp()) * 1_000_000
_SPAN_US = 660_000_000


@dataclass(frozen=True)
class CaptureFacts:
    """Counted from the file, by nothing of the product.

    Attributes:
        path: The file.
        records: Its lines that are not blank; each becomes a record.
        symbols: The busiest symbols, the busiest first; two at most.
        span_s: Seconds from the first line to the last, by receive time where the lines have one, else by event time.
        windows: The first and the last trade's event time, UTC milliseconds.
    """

    path: Path
    records: int
    symbols: tuple[str, ...]
    span_s: float
    windows: tuple[int, int]


def read_facts(path: Path) -> CaptureFacts:
    """Count what a capture holds, gzipped or not."""
    content = path.read_bytes()
    lines = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).splitlines()
    symbols: Counter[str] = Counter()
    clock_s: list[float] = []
    events_ms: list[int] = []
    records = 0
    for line in filter(None, lines):
        records += 1
        received, _, frame = line.rpartition(b" ") if line[:1].isdigit() else (b"", b"", line)
        try:
            fields = json.loads(frame)
            fields = fields.get("data", fields)
            event_ms = fields["T"] if "T" in fields else fields["event_time_us"] // 1000
            symbols[fields["s"] if "s" in fields else fields["symbol"]] += 1
        except (ValueError, LookupError, TypeError, AttributeError):
            continue  # A line that is no trade; what becomes of it is for the oracle to say.
        events_ms.append(event_ms)
        clock_s.append(int(received) / 1e9 if received else event_ms / 1e3)
    busiest = tuple(str(symbol) for symbol, _ in symbols.most_common(2))
    return CaptureFacts(path, records, busiest, max(clock_s) - min(clock_s), (min(events_ms), max(events_ms)))


def write_made_up(path: Path, trades: int, seed: int) -> None:
    """Write canonical trades of two symbols over eleven minutes; some are late, some repeated, some broken."""
    chance = random.Random(seed)
    lines: list[str] = []
    ids = {"AAAUSDT": 1_000, "BBBUSDT": 5_000}
    for number in range(trades):
        symbol = chance.choices(list(ids), (3, 2))[0]
        ids[symbol] += 1
        late_us = chance.randrange(90_000_000) if chance.random() < 0.01 else 0
        trade = {
            "symbol": symbol,
            "trade_id": ids[symbol],
            "price": f"{chance.randrange(10**6, 7 * 10**6) / 100:.2f}",
            "size": f"{chance.randrange(1, 10**8) / 10**8:.8f}",
            "side": chance.choice(("buy", "sell")),
            "event_time_us": _FIRST_US + number * _SPAN_US // trades - late_us,
        }
        lines.append(json.dumps(trade))
        if chance.random() < 0.01:
            lines.append(chance.choice(lines))
        if chance.random() < 0.002:
            lines.append(json.dumps({**trade, "price": "free"}))
    path.write_text("\n".join(lines) + "\n")
