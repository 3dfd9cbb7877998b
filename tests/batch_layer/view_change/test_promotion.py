"""Which edition of a view is served, and which one goes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from small_market import SmallMarket

from batch_layer.view_change.building import build
from batch_layer.view_change.promotion import promote, retire
from twofold.edition import Edition
from twofold.errors import Superseded
from twofold.publication import Publications
from twofold.views import VIEWS

BARS = VIEWS["bars"]
LATER = replace(BARS, lateness=timedelta(seconds=5))


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    """A market with an edition of bars beside the one that is served."""
    market = SmallMarket(tmp_path)
    market.trade("10:00:01")
    market.cycle()
    build(market.lake, LATER)
    return market


def editions(market: SmallMarket) -> dict[str, Edition]:
    """The editions of bars by their hash."""
    return {each.hash: each for each in Publications(market.lake).newest().editions if each.name == "bars"}


def test_one_publication_serves_the_edition_and_keeps_the_other_beside(market: SmallMarket) -> None:
    before = Publications(market.lake).newest()
    changed = promote(market.lake, editions(market)[LATER.hash])
    assert changed.publication.sequence == before.sequence + 1
    assert changed.publication.view_hashes == {**before.view_hashes, "bars": LATER.hash}
    assert changed.publication.tables == before.tables
    assert {each.hash: (each.state, each.since) for each in editions(market).values()} == {
        BARS.hash: ("beside", 3),
        LATER.hash: ("served", 3),
    }


def test_cycles_add_to_both_until_one_is_retired(market: SmallMarket) -> None:
    promote(market.lake, editions(market)[LATER.hash])
    market.trade("10:01:01")
    publication = market.cycle()
    both = [each.table for each in editions(market).values()]
    assert [market.lake.scan(name, publication.tables[name]).collect()["trades"].sum() for name in both] == [2, 2]
    retire(market.lake, editions(market)[BARS.hash])
    gone = editions(market)[BARS.hash]
    assert (gone.state, gone.since, gone.definition) == ("retired", 5, "")
    assert gone.table not in market.cycle().tables
    assert market.lake.exists(gone.table)


def test_a_retired_edition_is_not_promoted(market: SmallMarket) -> None:
    later = editions(market)[LATER.hash]
    retire(market.lake, later)
    with pytest.raises(Superseded, match="not carried"):
        promote(market.lake, later)


def test_what_is_served_is_not_retired(market: SmallMarket) -> None:
    with pytest.raises(Superseded, match="is served"):
        retire(market.lake, editions(market)[BARS.hash])


def test_a_retired_edition_can_be_built_again(market: SmallMarket) -> None:
    retire(market.lake, editions(market)[LATER.hash])
    market.trade("10:02:01")
    market.cycle()
    assert build(market.lake, LATER).is_new
    assert len(editions(market)) == 2
    publication = Publications(market.lake).newest()
    table = editions(market)[LATER.hash].table
    assert market.lake.scan(table, publication.tables[table]).collect()["trades"].sum() == 2
