"""A small market after three cycles, each test with a copy of its lake to break."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from lake_files import LakeFiles
from small_market import SmallMarket

from twofold.lake import Lake


@pytest.fixture(scope="session")
def three_cycles(tmp_path_factory: pytest.TempPathFactory) -> SmallMarket:
    market = SmallMarket(tmp_path_factory.mktemp("doctor"))
    for minute in range(3):
        ids = [market.trade(f"10:0{minute}:0{second}", lane=second % 2, price=str(100 + second)) for second in range(4)]
        market.trade(f"10:0{minute}:09", lane=1, trade_id=ids[0])
        market.poison(lane=minute % 2, clock=f"10:0{minute}:10")
        market.cycle()
    return market


@pytest.fixture
def market(three_cycles: SmallMarket, tmp_path: Path) -> SmallMarket:
    copy = SmallMarket(tmp_path / "unused")
    shutil.copytree(three_cycles.lake.root, tmp_path / "lake")
    copy.lake = Lake(str(tmp_path / "lake"))
    copy._ids = iter(range(1_000, 1_000_000))
    copy.log = three_cycles.log.up_to(three_cycles.log.end_offsets())
    return copy


@pytest.fixture
def files(market: SmallMarket) -> LakeFiles:
    return LakeFiles(market.lake)
