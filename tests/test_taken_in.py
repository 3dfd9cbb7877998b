"""Rows by the publications that brought them, also when tables were compacted, and files by what their log says."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from small_market import LANES, SmallMarket

from twofold.publication import GENESIS, Publication, Publications, publish
from twofold.tables import RAW, TRADES
from twofold.taken_in import TakenIn, files_within, is_below


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    """Publication n took in record n - 1 of either lane."""
    market = SmallMarket(tmp_path)
    for minute in range(3):
        market.trade(f"10:0{minute}:01")
        market.trade(f"10:0{minute}:02", lane=1)
        market.cycle()
    return market


def offsets_between(market: SmallMarket, after: int, up_to: int) -> list[tuple[str, int]]:
    publications = Publications(market.lake)
    taken_in = TakenIn(market.lake, publications.newest())
    rows = taken_in.between(TRADES, publications.at(after), publications.at(up_to), ["lane", "offset"])
    return sorted(rows.rows())


EXPECTED = {
    (0, 1): [(LANES[0], 0), (LANES[1], 0)],
    (1, 3): [(LANES[0], 1), (LANES[0], 2), (LANES[1], 1), (LANES[1], 2)],
    (2, 2): [],
}


@pytest.mark.parametrize(("after", "up_to"), EXPECTED)
def test_rows_are_found_by_the_publications_that_brought_them(market: SmallMarket, after: int, up_to: int) -> None:
    assert offsets_between(market, after, up_to) == EXPECTED[after, up_to]


@pytest.mark.parametrize(("after", "up_to"), EXPECTED)
def test_also_when_the_table_was_compacted_and_its_old_versions_are_gone(
    market: SmallMarket, after: int, up_to: int
) -> None:
    table = DeltaTable(market.lake.address(TRADES.name))
    table.optimize.compact()
    newest = Publications(market.lake).newest()
    compacted = Publication(4, newest.published_at, newest.cut, {**newest.tables, TRADES.name: table.version()})
    publish(market.lake, compacted)
    assert offsets_between(market, after, up_to) == EXPECTED[after, up_to]
    table.create_checkpoint()
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    for version in range(table.version()):
        Path(market.lake.address(TRADES.name), "_delta_log", f"{version:020}.json").unlink()
    assert offsets_between(market, after, up_to) == EXPECTED[after, up_to]


def test_few_files_are_read_for_a_part(market: SmallMarket) -> None:
    publications = Publications(market.lake)
    taken_in = TakenIn(market.lake, publications.newest())
    assert len(taken_in._files_between(RAW, publications.at(1), publications.at(2))) == 1
    assert len(taken_in._files_between(RAW, GENESIS, publications.at(3))) == 3


def test_before_the_first_publication_there_is_nothing(tmp_path: Path) -> None:
    market = SmallMarket(tmp_path)
    taken_in = TakenIn(market.lake, GENESIS)
    assert taken_in.bounds(TRADES) is None
    assert taken_in.between(TRADES, GENESIS, GENESIS, ["lane"]).is_empty()
    shutil.rmtree(market.lake.root)


def test_a_lane_that_a_cut_does_not_name_is_not_below_it() -> None:
    rows = pl.DataFrame({"lane": ["a/0", "a/0", "b/0"], "offset": [0, 1, 0]})
    assert rows.filter(is_below({"a/0": 1})).rows() == [("a/0", 0)]
    assert rows.filter(is_below({})).is_empty()


def test_files_are_picked_by_their_bounds_and_kept_where_the_log_does_not_say(market: SmallMarket) -> None:
    bounds = TakenIn(market.lake, Publications(market.lake).newest()).bounds(TRADES)
    assert bounds is not None
    starts = sorted(bounds["min.event_time"].to_physical())
    assert files_within(bounds, "event_time", None, None).height == 3
    assert files_within(bounds, "event_time", starts[1], starts[1] + 1).height == 1
    assert files_within(bounds, "event_time", starts[2], None).height == 1
    assert files_within(bounds, "event_time", None, starts[0]).height == 0
    assert files_within(bounds.drop("max.event_time"), "event_time", None, starts[0]).height == 3
    silent = bounds.with_columns(pl.lit(None, bounds.schema["max.event_time"]).alias("max.event_time"))
    assert files_within(silent, "event_time", starts[2] + 60_000_000, None).height == 3
