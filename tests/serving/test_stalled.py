"""A lane of which nothing comes: serving is not ready, and says which one it is."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

from eventually import eventually
from memory_log import MemoryReader
from served import assert_is_problem, served
from small_market import LANES, ROOMY_BYTES, SmallMarket, runs

import speed_layer.stalls
from speed_layer.worker import SpeedWorker
from twofold.lane import Positions
from twofold.records import RecordBatch
from twofold.source import SHIPPED_SOURCES
from twofold.views import VIEWS


def test_a_stalled_lane_is_named_until_it_goes_on(tmp_path: Path) -> None:
    market = SmallMarket(tmp_path)
    broken = {1}

    class Halting(MemoryReader):
        def poll(self, timeout_ms: int, max_records: int) -> list[RecordBatch]:
            self.tell([(place, max_records) for place in range(len(LANES)) if place not in broken])
            return super().poll(timeout_ms, max_records)

    def open_reader(start: Positions) -> MemoryReader:
        return Halting(market.log, start, [])

    worker = SpeedWorker(market.lake, open_reader, VIEWS, SHIPPED_SOURCES, "simulator", ROOMY_BYTES)
    with (
        patch.object(speed_layer.stalls, "STALL_S", 0.2),
        runs(worker) as address,
        served(market.lake, address) as api,
    ):
        api.wait_for("live")
        eventually(api.is_ready)
        market.trade("10:00:00")
        market.trade("10:00:01", lane=1)
        eventually(lambda: not api.is_ready())
        assert_is_problem(api.get("/readyz"), 503, LANES[1], "nothing comes of it")
        stalled = {lane["lane"]: lane["stalled"] for lane in api.get("/v1/lanes").json()["lanes"]}
        assert stalled == {LANES[0]: False, LANES[1]: True}
        broken.clear()
        eventually(api.is_ready)
