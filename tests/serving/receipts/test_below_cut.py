"""The batch side made again: few files read where few are needed, and the same partials as the view's own table has."""

from __future__ import annotations

from pathlib import Path

import pytest
from polars.testing import assert_frame_equal
from small_market import SmallMarket, time_us

from serving.batch_side import BatchSide, load_batch_side
from serving.query import Query
from serving.receipts import below_cut as module
from serving.receipts.below_cut import BelowCut
from twofold.history import HistoryReader
from twofold.lake import Lake
from twofold.publication import Publications
from twofold.taken_in import TakenIn
from twofold.views import VIEWS

MINUTE_US = 60_000_000


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    """Sixteen minutes, each of its own publication; one symbol ends after the first, and some trades come late."""
    market = SmallMarket(tmp_path)
    market.trade("10:00:30", symbol="OLD")
    for minute in range(16):
        market.trade(f"10:{minute:02}:01", lane=minute % 2)
        if minute % 5 == 4:
            market.trade(f"10:{minute - 4:02}:40", arrives=f"10:{minute:02}:01")
        market.cycle()
    return market


@pytest.fixture
def files_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many files each reading of trades took."""
    counts: list[int] = []
    real = Lake.read_files

    def counted(lake: Lake, table: str, files: list[str], *rest: object) -> object:
        if table == "trades":
            counts.append(len(files))
        return real(lake, table, files, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Lake, "read_files", counted)
    return counts


def made_again(market: SmallMarket, sequence: int, query: Query) -> BatchSide:
    publications = Publications(market.lake)
    newest = publications.newest()
    history = HistoryReader(market.lake).up_to(newest)
    return BelowCut(query, publications.at(sequence), history, TakenIn(market.lake, newest)).made_again()


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("sequence", [1, 9, 16])
def test_all_partials_with_their_revisions_are_those_of_the_views_table(
    market: SmallMarket, sequence: int, view: object
) -> None:
    query = Query(view, MINUTE_US)  # type: ignore[arg-type]
    kept = load_batch_side(market.lake, VIEWS, Publications(market.lake).at(sequence), None)
    again = made_again(market, sequence, query)
    name = query.view.name
    assert_frame_equal(again.partials[name].frame, kept.partials[name].frame)
    assert sequence == 1 or kept.partials[name].frame["revisions"].sum() > 0


def test_a_part_at_a_time_gives_the_same(market: SmallMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    query = Query(VIEWS["bars"], MINUTE_US)
    whole = made_again(market, 16, query)
    monkeypatch.setattr(module, "FOLDED_AT_ONCE", 3)
    assert_frame_equal(made_again(market, 16, query).partials["bars"].frame, whole.partials["bars"].frame)


def test_a_range_reads_the_files_of_its_time(market: SmallMarket, files_read: list[int]) -> None:
    start_us = time_us("10:06:00")
    query = Query(VIEWS["bars"], MINUTE_US, symbol="BTCUSDT", start_us=start_us, end_us=start_us + MINUTE_US)
    assert made_again(market, 16, query).partials["bars"].frame["trades"].to_list() == [1]
    assert sum(files_read) < 5


def test_the_newest_windows_of_one_symbol_are_looked_for_from_the_end(
    market: SmallMarket, files_read: list[int]
) -> None:
    query = Query(VIEWS["bars"], MINUTE_US, symbol="BTCUSDT", last=2)
    assert made_again(market, 16, query).partials["bars"].frame.height >= 2
    assert sum(files_read) < 6


def test_the_newest_windows_of_a_symbol_that_has_gone_quiet_are_found(market: SmallMarket) -> None:
    for query in (Query(VIEWS["bars"], MINUTE_US, symbol="OLD", last=1), Query(VIEWS["bars"], MINUTE_US, last=1)):
        assert "OLD" in made_again(market, 16, query).partials["bars"].frame["symbol"]


def test_a_symbol_is_not_mixed_with_others(market: SmallMarket) -> None:
    again = made_again(market, 16, Query(VIEWS["bars"], MINUTE_US, symbol="OLD"))
    assert again.partials["bars"].frame["symbol"].to_list() == ["OLD"]


def test_the_newest_trade_is_found_whatever_its_microsecond(tmp_path: Path) -> None:
    market = SmallMarket(tmp_path)
    market.trade("10:00:01")
    market.trade("10:01:00.000999", arrives="10:01:01")
    market.cycle()
    query = Query(VIEWS["bars"], MINUTE_US, last=1)
    starts_us = made_again(market, 1, query).partials["bars"].frame["window_start"].to_physical()
    assert starts_us.max() == time_us("10:01:00")
