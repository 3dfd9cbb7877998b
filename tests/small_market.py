"""A small market whose every trade a test spells out, with the batch side and the live side over it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from memory_log import MemoryLog

from batch_layer.cycle import BatchCycle
from speed_layer.flight import SpeedServer
from speed_layer.worker import SpeedWorker
from twofold.clock import to_epoch_us
from twofold.lake import Lake
from twofold.publication import Publication, found_lake
from twofold.records import RecordBatch
from twofold.source import HOLE_AGE_S, SHIPPED_SOURCES, Source
from twofold.view import View
from twofold.views import VIEWS

LANES = tuple(f"3c1f4f0e-5a57-4d7e-9d0c-0f6d2a9b7c11/{partition}" for partition in range(2))
DAY = "2024-08-09"
ROOMY_BYTES = 64 * 1024**3
"""More memory than a test ever takes."""


def time_us(clock: str) -> int:
    """A time of the day that the market is open, such as `10:00:01`, in UTC microseconds."""
    return to_epoch_us(datetime.fromisoformat(f"{DAY}T{clock}").replace(tzinfo=UTC))


def trade_value(
    clock: str, trade_id: int | str, *, symbol: str = "BTCUSDT", price: str = "100", size: str = "1", side: str = "buy"
) -> bytes:
    """A trade as it stands in the log, in the canonical format."""
    fields = {"symbol": symbol, "trade_id": trade_id, "price": price, "size": size, "side": side}
    return json.dumps(fields | {"event_time_us": time_us(clock)}).encode()


def batch(*values: bytes | None, lane: str = LANES[0], offset: int = 0) -> RecordBatch:
    """Records as they come from the log, from an offset on."""
    count = len(values)
    return RecordBatch(
        lane=lane,
        offsets=list(range(offset, offset + count)),
        timestamps_ms=[time_us("23:00:00") // 1000] * count,
        keys=[None] * count,
        values=list(values),
        headers=None,
        next_offset=offset + count,
    )


class SmallMarket:
    """A log in memory and a lake in a folder."""

    def __init__(
        self,
        folder: Path,
        views: Mapping[str, View] = VIEWS,
        hole_age_s: float = HOLE_AGE_S,
        sources: Mapping[str, Source] = SHIPPED_SOURCES,
    ) -> None:
        self.log = MemoryLog(LANES)
        self.views = views
        self.sources = sources
        self.lake = Lake(str(folder / "lake"))
        found_lake(self.lake)
        self._hole_age_s = hole_age_s
        self._ids = iter(range(1, 1_000_000))

    def trade(
        self,
        clock: str,
        *,
        symbol: str = "BTCUSDT",
        price: str = "100",
        size: str = "1",
        side: str = "buy",
        lane: int = 0,
        arrives: str | None = None,
        source: str | None = None,
        trade_id: int | str | None = None,
    ) -> int | str:
        """Log a trade, which arrives when it happens unless said otherwise; the id is the next one by default."""
        number = next(self._ids) if trade_id is None else trade_id
        value = trade_value(clock, number, symbol=symbol, price=price, size=size, side=side)
        headers = () if source is None else (("source", source.encode()),)
        self.log.append(LANES[lane], value, timestamp_ms=time_us(arrives or clock) // 1000, headers=headers)
        return number

    def broken(self, clock: str, trade_id: int, *, lane: int = 0) -> None:
        """Log a record that is no trade, but says which it would have been."""
        self.log.append(LANES[lane], trade_value(clock, trade_id, price="0"), timestamp_ms=time_us(clock) // 1000)

    def poison(self, *, lane: int = 0, clock: str = "10:00:00") -> None:
        """Log a record that is no trade."""
        self.log.append(LANES[lane], b"{", timestamp_ms=time_us(clock) // 1000)

    def cycle(self, max_records: int = 1_000_000) -> Publication:
        """Run one batch cycle over what is logged, and publish also if that is nothing."""
        cycle = self.new_cycle()
        intake = cycle.ingest(max_records)
        return cycle.publish(intake, cycle.fold(intake))

    def new_cycle(self) -> BatchCycle:
        """A batch cycle from the newest publication on, with nothing taken in yet."""
        return BatchCycle(self.lake, self.log.open_reader, self.views, self.sources, "simulator", self._hole_age_s)

    def worker(self, memory_bytes: int = ROOMY_BYTES) -> SpeedWorker:
        """A speed worker over the log and the lake, not running yet."""
        return SpeedWorker(self.lake, self.log.open_reader, self.views, self.sources, "simulator", memory_bytes)

    @contextmanager
    def live_side(self, port: int = 0) -> Iterator[str]:
        """Run a new speed worker behind its door; gives the address."""
        with runs(self.worker(), port) as address:
            yield address


@contextmanager
def runs(worker: SpeedWorker, port: int = 0) -> Iterator[str]:
    """Run a worker, to be asked over Arrow Flight; gives the address."""
    thread = threading.Thread(target=worker.run, name="worker")
    with SpeedServer(f"127.0.0.1:{port}", worker) as server:
        thread.start()
        try:
            yield f"127.0.0.1:{server.port}"
        finally:
            worker.stop()
            thread.join()
