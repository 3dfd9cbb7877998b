"""Captures: what is known of one before it is replayed, by nothing of the product; and a made-up one."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_FIRST_US = int(datetime(2024, 8, 8, 23, 54, 55, tzinfo=UTC).timestamp()) * 1_000_000
_SPAN_US = 660_000_000


@dataclass(frozen=True)
class CaptureFacts:
    """What was counted in a capture.

    Attributes:
        name: The file's name.
        lines: Its lines that are not blank; each becomes a record.
        symbols: The busiest symbols, the busiest first; two at most.
        span_s: Seconds from the first line to the last, by receive time where the lines have one, else by event time.
        events_ms: The first and the last event time, UTC milliseconds.
    """

    name: str
    lines: list[bytes]
    symbols: tuple[str, ...]
    span_s: float
    events_ms: tuple[int, int]

    @property
    def records(self) -> int:
        """How many records the capture becomes."""
        return len(self.lines)

    def parted(self, share: float) -> tuple[list[bytes], list[bytes]]:
        """The lines in two parts; the first has a share of them, and one at least."""
        place = max(1, int(self.records * share))
        return self.lines[:place], self.lines[place:]


def read_facts(path: Path) -> CaptureFacts:
    """Count what a capture holds, gzipped or not.

    Raises:
        OSError: it cannot be read.
        RuntimeError: no line of it is a trade.
    """
    content = path.read_bytes()
    lines = [
        line for line in (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).split(b"\n") if line
    ]
    symbols: Counter[str] = Counter()
    clock_s: list[float] = []
    events_ms: list[int] = []
    for line in lines:
        received, frame = line.split(b" ", 1) if line[:1].isdigit() else (b"", line)
        try:
            symbol, event_ms = _symbol_and_time(json.loads(frame))
        except (ValueError, LookupError, TypeError):
            continue  # A line that is no trade; what becomes of it is for the oracle to say.
        symbols[symbol] += 1
        events_ms.append(event_ms)
        clock_s.append(int(received) / 1e9 if received else event_ms / 1e3)
    if not symbols:
        raise RuntimeError(f"No line of {path} is a trade. Name another capture.")
    busiest = tuple(symbol for symbol, _ in symbols.most_common(2))
    return CaptureFacts(path.name, lines, busiest, max(clock_s) - min(clock_s), (min(events_ms), max(events_ms)))


def _symbol_and_time(fields: dict[str, Any]) -> tuple[str, int]:
    """The symbol and the event time in UTC milliseconds of a frame of either wire format."""
    if "trade_id" in fields:
        return str(fields["symbol"]), int(fields["event_time_us"]) // 1000
    trade = fields.get("data", fields)
    return str(trade["s"]), int(trade["T"])


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
