from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from small_market import SmallMarket

from batch_layer.partials import FILES_PER_DAY
from serving.batch_side import BatchSide, load_batch_side
from twofold.errors import LakeUnreachable
from twofold.publication import GENESIS, Publication
from twofold.views import VIEWS


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    return SmallMarket(tmp_path)


def load(market: SmallMarket, publication: Publication, before: BatchSide | None = None) -> BatchSide:
    return load_batch_side(market.lake, VIEWS, publication, before)


def assert_same(one: BatchSide, other: BatchSide) -> None:
    for name, view in VIEWS.items():
        assert_frame_equal(one.partials[name].frame.sort(view.group), other.partials[name].frame.sort(view.group))


def data_files(market: SmallMarket, view: str) -> set[Path]:
    return set(Path(market.lake.root, "views", view).rglob("*.parquet"))


def test_before_the_first_publication_there_is_nothing(market: SmallMarket) -> None:
    side = load(market, GENESIS)
    for name, view in VIEWS.items():
        assert side.partials[name].frame.schema == view.partial_schema
        assert side.partials[name].frame.is_empty()


def test_partials_come_merged_to_one_row_per_group(market: SmallMarket) -> None:
    for clock in ("10:00:10", "10:00:20", "10:01:00"):
        market.trade(clock)
        publication = market.cycle()
    trades = load(market, publication).partials["bars"].frame.sort("window_start")["trades"]
    assert trades.to_list() == [2, 1]


def test_only_what_a_publication_added_is_read(market: SmallMarket) -> None:
    market.trade("10:00:10")
    before = load(market, market.cycle())
    for file in data_files(market, "bars"):
        file.unlink()
    market.trade("10:00:20")
    after = load(market, market.cycle(), before)
    assert after.partials["bars"].frame["trades"].to_list() == [2]


def test_a_publication_that_brought_nothing_keeps_what_was_read(market: SmallMarket) -> None:
    market.trade("10:00:10")
    before = load(market, market.cycle())
    market.poison()
    after = load(market, market.cycle(), before)
    assert after.publication.sequence == 2
    assert after.partials["bars"] is before.partials["bars"]


def test_step_by_step_or_at_once_makes_no_difference_when_files_are_compacted(market: SmallMarket) -> None:
    side: BatchSide | None = None
    for number in range(FILES_PER_DAY + 3):
        market.trade(f"10:00:{number:02}", price=str(100 + number % 7))
        publication = market.cycle()
        if number % 3 == 0:
            side = load(market, publication, side)
    side = load(market, publication, side)
    assert len(side.files["bars"]) < FILES_PER_DAY
    assert_same(side, load(market, publication))
    assert side.partials["bars"].frame.select(pl.col("trades").sum()).item() == FILES_PER_DAY + 3


def test_a_file_that_is_gone_makes_the_lake_unreachable(market: SmallMarket) -> None:
    market.trade("10:00:10")
    publication = market.cycle()
    for file in data_files(market, "taker_flow"):
        file.unlink()
    with pytest.raises(LakeUnreachable, match="views/taker_flow"):
        load(market, publication)


def test_a_file_that_is_cut_short_makes_the_lake_unreachable(market: SmallMarket) -> None:
    market.trade("10:00:10")
    publication = market.cycle()
    for file in data_files(market, "bars"):
        file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(LakeUnreachable, match="views/bars"):
        load(market, publication)
