"""The history of a lake: which publication took a record in, and the watermarks before it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from small_market import LANES, SmallMarket, time_us

from twofold.history import NEVER, HistoryReader
from twofold.publication import GENESIS, Publications, publish


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    """Publication 1 took in two records of lane 0, 2 one of lane 1 and one of lane 0, and 3 nothing."""
    market = SmallMarket(tmp_path)
    market.trade("10:00:01")
    market.trade("10:00:02")
    market.cycle()
    market.trade("10:00:03", lane=1)
    market.trade("10:00:04")
    market.cycle()
    market.cycle()
    return market


def test_each_record_is_of_the_publication_that_took_it_in(market: SmallMarket) -> None:
    history = HistoryReader(market.lake).up_to(Publications(market.lake).newest())
    lanes = pl.Series([LANES[0], LANES[0], LANES[1], LANES[0], LANES[0], LANES[1], "other/0"])
    offsets = pl.Series([0, 1, 0, 2, 3, 1, 0])
    assert history.sequences.tolist() == [1, 2, 3]
    assert history.sequences_before(pl.Series([1, 2, 4])).to_list() == [0, 1, 3]
    assert history.taken_in_by(lanes, offsets).to_list() == [1, 1, 2, 2, 4, 4, 4]


def test_the_watermark_is_that_of_the_publication_before(market: SmallMarket) -> None:
    history = HistoryReader(market.lake).up_to(Publications(market.lake).newest())
    venues, sequences = pl.Series(["simulator"] * 4 + ["other"]), pl.Series([1, 2, 3, 4, 4])
    marks = history.watermarks_before(venues, sequences).to_list()
    assert marks == [NEVER, NEVER, time_us("10:00:02"), time_us("10:00:02"), NEVER]


def test_the_first_publication_past_some_positions_is_found(market: SmallMarket) -> None:
    history = HistoryReader(market.lake).up_to(Publications(market.lake).newest())
    assert history.first_past({}) == 1
    assert history.first_past({LANES[0]: 2, LANES[1]: 0}) == 1
    assert history.first_past({LANES[0]: 1, LANES[1]: 1}) == 2
    assert history.first_past({LANES[0]: 4}) is None
    assert history.first_past({"other/0": 1}) is None


def test_only_what_was_added_is_read_again(market: SmallMarket) -> None:
    reader, publications = HistoryReader(market.lake), Publications(market.lake)
    before = reader.up_to(publications.newest())
    assert reader.up_to(publications.newest()) is before
    market.cycle()
    assert reader.up_to(publications.newest()).sequences.tolist() == [1, 2, 3, 4]


def test_nothing_was_published_yet(tmp_path: Path) -> None:
    market = SmallMarket(tmp_path)
    assert HistoryReader(market.lake).up_to(GENESIS).sequences.tolist() == []


def test_what_was_gone_back_from_is_no_part_of_it(market: SmallMarket) -> None:
    reader, publications = HistoryReader(market.lake), Publications(market.lake)
    reader.up_to(publications.newest())
    first = publications.at(1)
    publish(market.lake, replace(first, sequence=4, given_up=(2, 3)))
    market.cycle()
    newest = publications.newest()
    for history in (reader.up_to(newest), HistoryReader(market.lake).up_to(newest)):
        assert history.sequences.tolist() == [1, 4, 5]
        assert history.cuts[LANES[1]].tolist() == [0, 0, 1]
        assert history.taken_in_by(pl.Series([LANES[1]]), pl.Series([0])).to_list() == [3]
        assert history.first_past({LANES[1]: 1}) == 5


def test_a_publication_that_was_given_up_is_passed_over_where_one_is_looked_for(market: SmallMarket) -> None:
    publications = Publications(market.lake)
    publish(market.lake, replace(publications.newest(), sequence=4, given_up=(2,)))
    history = HistoryReader(market.lake).up_to(publications.newest())
    assert history.sequences.tolist() == [1, 2, 3, 4]
    assert history.first_past({LANES[1]: 1}) == 3
