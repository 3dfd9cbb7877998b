"""Two editions of a view, compared row by row."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from small_market import SmallMarket

from batch_layer.view_change.building import build
from batch_layer.view_change.difference import Difference, compare
from twofold.aggregates import Count, Sum
from twofold.lake import TableWriter
from twofold.publication import Publications, publish
from twofold.view import View
from twofold.views import VIEWS

BARS = VIEWS["bars"]


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    market = SmallMarket(tmp_path)
    for clock, side in (("10:00:01", "buy"), ("10:00:02", "sell"), ("10:01:01", "buy"), ("10:06:00", "sell")):
        market.trade(clock, side=side, size="2")
    market.cycle()
    return market


def compared(market: SmallMarket, view: View) -> Difference:
    """What a view, built beside bars, differs in."""
    publication = build(market.lake, view).publication
    beside = next(each for each in publication.editions if each.hash == view.hash)
    return compare(market.lake, publication, publication.edition("bars", VIEWS), beside)


def rows(market: SmallMarket, found: Difference) -> list[dict[str, Any]]:
    return pl.read_delta(market.lake.address(found.table)).sort("window_start").to_dicts()


def test_editions_that_differ_in_no_value_are_equal(market: SmallMarket) -> None:
    found = compared(market, replace(BARS, lateness=timedelta(seconds=1)))
    assert found.is_none
    assert (found.equal, found.measures) == (3, tuple(BARS.columns))
    assert rows(market, found) == []


def test_rows_that_differ_have_both_values_of_each_measure(market: SmallMarket) -> None:
    buys = {**BARS.aggregates, "volume": Sum("size", where={"side": "buy"}), "trades": Count(where={"side": "buy"})}
    found = compared(market, replace(BARS, aggregates=buys))
    assert (found.equal, found.found) == (1, {"both": 2})
    assert found.differing == {**dict.fromkeys(BARS.columns, 0), "volume": 2, "trades": 2, "vwap": 2}
    first = rows(market, found)[0]
    assert (first["venue"], first["symbol"], first["found"], first["sequence"]) == ("simulator", "BTCUSDT", "both", 2)
    assert first["window_end"] - first["window_start"] == timedelta(minutes=1)
    assert (first["volume__served"], first["volume__beside"]) == (Decimal(4), Decimal(2))
    assert (first["trades__served"], first["trades__beside"]) == (2, 1)
    assert (first["open__served"], first["open__beside"]) == (Decimal(100), Decimal(100))


def test_other_keys_and_grains_are_compared_by_what_both_have(market: SmallMarket) -> None:
    by_side = replace(
        BARS,
        keys=("venue", "symbol", "side"),
        window=timedelta(minutes=5),
        aggregates={"volume": Sum("size"), "n": Count()},
        finished={},
        described={},
    )
    found = compared(market, by_side)
    assert (found.keys, found.interval, found.measures) == (("venue", "symbol"), timedelta(minutes=5), ("volume",))
    assert found.apart["beside"] == ("n",)
    assert "open" in found.apart["served"]
    assert (found.is_none, found.equal) == (True, 2)


def test_rows_that_one_alone_has_are_told(market: SmallMarket) -> None:
    other = replace(BARS, lateness=timedelta(seconds=1))
    changed = build(market.lake, other)
    writer = TableWriter(market.lake, changed.edition.spec)
    there = writer.rows().collect().sort("window_start")
    moved = there[:1].with_columns(pl.col("window_start") + timedelta(hours=1))
    writer.replace(pl.concat([there[1:], moved]))
    newest = Publications(market.lake).newest()
    publish(
        market.lake,
        replace(newest, sequence=newest.sequence + 1, tables={**newest.tables, writer.spec.name: writer.version}),
    )
    found = compared(market, other)
    assert (found.equal, found.found) == (2, {"served": 1, "beside": 1})
    alone = rows(market, found)
    assert [(row["found"], row["trades__served"], row["trades__beside"]) for row in alone] == [
        ("served", 2, None),
        ("beside", None, 2),
    ]


def test_it_is_written_anew_each_time(market: SmallMarket) -> None:
    view = replace(BARS, aggregates={**BARS.aggregates, "trades": Count(where={"side": "buy"})})
    first = compared(market, view)
    again = compared(market, view)
    assert again == first
    assert len(rows(market, again)) == again.found.total() == 2
