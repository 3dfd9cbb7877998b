"""A lake with a cycle that is held, or with trades excluded, as the doctor sees it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from gated_market import GatedMarket
from lake_files import LakeFiles

from batch_layer.doctor import Definitions, examine, mends
from batch_layer.doctor.rebuild import Rebuild
from batch_layer.releasing import exclude, failing_ones, release
from twofold.hold import Holds
from twofold.source import SHIPPED_SOURCES

NOON = datetime(2024, 8, 9, 12, tzinfo=UTC)


@pytest.fixture
def market(tmp_path: Path) -> GatedMarket:
    """A market with a cycle that is held."""
    market = GatedMarket.poisoned(tmp_path)
    market.hold()
    return market


def test_a_lake_with_a_cycle_that_is_held_is_whole(market: GatedMarket) -> None:
    assert examine(market.lake, market.log.open_reader, SHIPPED_SOURCES).findings == []


def test_what_was_excluded_is_no_finding_and_stays_out_when_tables_are_rebuilt(market: GatedMarket) -> None:
    (hold,) = Holds(market.lake).all()
    exclude(market.lake, market.new_cycle, hold.number, failing_ones(hold, ""))
    market.trade_well(2)
    before = market.cycle()
    trades = market.lake.scan("trades", before.tables["trades"]).sort("lane", "offset").collect()
    assert examine(market.lake, market.log.open_reader, SHIPPED_SOURCES).findings == []
    LakeFiles(market.lake).added("trades", before.tables["trades"]).unlink()
    found = examine(market.lake, market.log.open_reader, SHIPPED_SOURCES)
    rebuild = mends(found, Definitions(SHIPPED_SOURCES, "simulator"))[0]
    assert isinstance(rebuild, Rebuild)
    rebuild.carry_out(market.lake, lambda: NOON)
    after = market.newest()
    assert (after.sequence, after.accounts, after.exclusions) == (4, before.accounts, before.exclusions)
    assert market.lake.scan("trades", after.tables["trades"]).sort("lane", "offset").collect().equals(trades)


def test_going_back_leaves_what_was_released_to_be_held_again(market: GatedMarket) -> None:
    """A mend that goes back to before a release has the records wait again, and they are not lost or counted twice."""
    (hold,) = Holds(market.lake).all()
    release(market.lake, market.new_cycle, hold.number)
    files = LakeFiles(market.lake)
    files.added("raw", market.newest().tables["raw"]).unlink()
    found = examine(market.lake, market.log.open_reader, SHIPPED_SOURCES)
    mends(found, Definitions(SHIPPED_SOURCES, "simulator"))[0].carry_out(market.lake, lambda: NOON)
    assert market.newest().cut == {lane: hold.begins[lane] for lane in hold.cut}
    assert Holds(market.lake).open_on(market.newest()) == (hold,)
    released = release(market.lake, market.new_cycle, hold.number)
    assert sum(account.folded for account in released.accounts.values()) == 24
