"""Building an edition of a view beside the one that is served."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from small_market import SmallMarket

from batch_layer.view_change.building import build
from twofold.aggregates import Count, Sum
from twofold.errors import DecoderDiffers, NoLake, Superseded
from twofold.fold import fold, merge
from twofold.publication import Publications, publish
from twofold.view import View
from twofold.views import VIEWS

SIDES = View(
    name="sides",
    window=timedelta(minutes=1),
    keys=("venue", "symbol", "side"),
    aggregates={"volume": Sum("size"), "trades": Count()},
)


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    """A market after three cycles, of which the last two revise windows."""
    market = SmallMarket(tmp_path)
    for clock in ("10:00:01", "10:00:02", "10:05:00", "10:05:01", "10:05:02"):
        market.trade(clock, side="buy" if clock.endswith("1") else "sell")
    market.cycle()
    market.trade("10:00:03")
    market.cycle()
    market.trade("10:00:04", side="sell")
    market.cycle()
    return market


def partials(market: SmallMarket, view: View) -> pl.DataFrame:
    publication = Publications(market.lake).newest()
    edition = next(each for each in publication.editions if each.hash == view.hash)
    rows = market.lake.scan(edition.table, publication.tables[edition.table]).collect()
    return merge(view, rows.select(view.partial_schema.names())).sort(view.group)


def test_a_wholly_new_view_has_all_trades_and_its_revisions(market: SmallMarket) -> None:
    changed = build(market.lake, SIDES)
    trades = market.lake.scan("trades", changed.publication.tables["trades"]).collect()
    built = partials(market, SIDES)
    expected = fold([SIDES], trades)["sides"].sort(SIDES.group)
    assert built.drop("revisions").equals(expected.drop("revisions"))
    first = built.filter(pl.col("window_start") == pl.col("window_start").min())
    assert first.select("side", "trades", "revisions").rows() == [("buy", 2, 1), ("sell", 2, 1)]


def test_it_counts_revisions_as_cycles_do_that_always_had_the_view(market: SmallMarket) -> None:
    again = replace(VIEWS["bars"], lateness=timedelta(microseconds=1))
    build(market.lake, again)
    assert partials(market, again).equals(partials(market, VIEWS["bars"]))
    market.trade("10:00:05")
    market.cycle()
    assert partials(market, again).equals(partials(market, VIEWS["bars"]))
    assert partials(market, again)["revisions"].to_list() == [3, 0]


def test_what_is_served_stays_and_the_edition_stands_beside(market: SmallMarket) -> None:
    before = Publications(market.lake).newest()
    changed = build(market.lake, SIDES)
    assert changed.publication.served(VIEWS) == before.served(VIEWS)
    assert (changed.edition.state, changed.edition.since) == ("beside", before.sequence + 1)
    assert changed.edition.table == f"views/sides-{SIDES.hash}"
    assert {**before.tables, changed.edition.table: 1} == changed.publication.tables
    assert (changed.publication.cut, changed.publication.accounts) == (before.cut, before.accounts)


def test_it_tells_of_each_day(market: SmallMarket) -> None:
    told: list[tuple[date, int, int]] = []
    build(market.lake, SIDES, lambda *day: told.append(day))
    assert told == [(date(2024, 8, 9), 1, 1)]


def test_what_an_earlier_try_left_is_not_counted(market: SmallMarket) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(market.lake, SIDES, die)
    assert market.lake.exists(f"views/sides-{SIDES.hash}")
    build(market.lake, SIDES)
    assert partials(market, SIDES)["trades"].sum() == 7


def test_a_lake_without_trades_is_built_from_too(tmp_path: Path) -> None:
    market = SmallMarket(tmp_path)
    market.cycle()
    build(market.lake, SIDES)
    market.trade("10:00:01")
    market.cycle()
    assert partials(market, SIDES)["trades"].to_list() == [1]


def test_before_the_first_publication_there_is_nothing_to_build_from(tmp_path: Path) -> None:
    with pytest.raises(NoLake, match=r"Nothing was published yet.*twofold cycle"):
        build(SmallMarket(tmp_path).lake, SIDES)


def test_a_lake_of_another_decoder_is_refused(market: SmallMarket) -> None:
    newest = Publications(market.lake).newest()
    publish(market.lake, replace(newest, sequence=newest.sequence + 1, decoder_hash="another"))
    with pytest.raises(DecoderDiffers):
        build(market.lake, SIDES)


def test_a_lake_that_went_back_meanwhile_gets_nothing(market: SmallMarket) -> None:
    publications = Publications(market.lake)

    def go_back(*_: object) -> None:
        publish(market.lake, replace(publications.at(2), sequence=publications.newest().sequence + 1))

    with pytest.raises(Superseded, match=r"went back behind publication 3.*build it again"):
        build(market.lake, SIDES, go_back)
    assert all(each.name != "sides" for each in publications.newest().editions)
    assert build(market.lake, SIDES).is_new
    assert partials(market, SIDES)["trades"].sum() == 6
