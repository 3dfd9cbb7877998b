"""A view that is changed while it is served: requests, what was remembered of them, streams and charts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from event_stream import streaming
from eventually import eventually
from laws.changed_bars import CHANGED_BARS
from served import Served, assert_is_problem, served
from small_market import SmallMarket

from batch_layer.view_change.building import build
from batch_layer.view_change.promotion import promote
from serving.push.hub import Timing
from twofold.publication import Publications, publish
from twofold.view import View
from twofold.views import VIEWS

QUICK = Timing(tick_s=0.01, heartbeat_s=0.2)
STREAM = "/v1/views/bars/stream"


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    """A market with a publication, and another edition of bars beside the one that is served."""
    market = SmallMarket(tmp_path)
    market.trade("10:00:10")
    market.trade("10:00:40", price="101", side="sell")
    market.cycle()
    build(market.lake, CHANGED_BARS)
    market.trade("10:01:00")
    return market


@pytest.fixture
def api(market: SmallMarket) -> Iterator[Served]:
    with market.live_side() as address, served(market.lake, address, timing=QUICK) as api:
        eventually(api.is_ready)
        yield api


def have_served(market: SmallMarket, api: Served, view: View) -> None:
    """Promote an edition, and wait until answers are made of it with what is live."""
    editions = Publications(market.lake).newest().editions
    promote(market.lake, next(each for each in editions if each.hash == view.hash))
    eventually(lambda: described(api).get(view.name) == view.hash and api.is_ready())


def described(api: Served) -> dict[str, str]:
    return {each["view"]: each["hash"] for each in api.get("/v1/views").json()}


def test_the_same_request_is_answered_by_the_view_as_it_is_by_then(api: Served, market: SmallMarket) -> None:
    before = [api.bars(symbol="BTCUSDT") for _ in range(2)]
    assert [row["trades"] for row in before[1]["rows"]] == [2, 1]
    assert before[1]["receipt"]["view_hash"] == VIEWS["bars"].hash
    have_served(market, api, CHANGED_BARS)
    after = api.bars(symbol="BTCUSDT")
    assert after["receipt"]["view_hash"] == CHANGED_BARS.hash
    assert [(row["trades"], row["buys"], row["close"]) for row in after["rows"]] == [
        (1, 1, "100.00000000"),
        (1, 0, "101.00000000"),
        (1, 1, "100.00000000"),
    ]
    assert after["receipt"]["positions"] == before[1]["receipt"]["positions"]


def test_a_request_that_the_changed_view_cannot_answer_is_told_what_it_has(api: Served, market: SmallMarket) -> None:
    assert api.rows(symbol="BTCUSDT", columns="open")
    have_served(market, api, CHANGED_BARS)
    refused = api.get("/v1/views/bars", symbol="BTCUSDT", columns="open")
    assert_is_problem(refused, 404, "'open'", "mean_size")


def test_an_edition_beside_is_not_to_be_seen(api: Served, market: SmallMarket) -> None:
    new = replace(VIEWS["taker_flow"], name="spread", lateness=timedelta(seconds=1))
    build(market.lake, new)
    market.cycle()
    eventually(lambda: api.bars()["receipt"]["sequence"] == 4)
    assert described(api) == {name: view.hash for name, view in VIEWS.items()}
    assert_is_problem(api.get("/v1/views/spread"), 404, "There is no view 'spread'", "bars, taker_flow")
    have_served(market, api, new)
    assert len(api.answer("spread")["rows"]) == 2


def test_a_stream_ends_and_says_that_its_view_was_changed(api: Served, market: SmallMarket) -> None:
    with streaming(api.client, STREAM, symbol="BTCUSDT") as events:
        begun = next(events)
        have_served(market, api, CHANGED_BARS)
        last = [*events][-1]
    assert (last.kind, last.data["reason"]) == ("end", "view_changed")
    assert "Ask the same anew" in last.data["detail"]
    with streaming(api.client, STREAM, symbol="BTCUSDT", last_event_id=begun.id) as events:
        told = next(events)
    assert (told.kind, told.data["because"]) == ("state", "unknown_id")
    assert told.data["receipt"]["view_hash"] == CHANGED_BARS.hash


def test_charts_are_made_of_bars_as_they_are_served_or_say_what_these_lack(api: Served, market: SmallMarket) -> None:
    asked = {"symbol": "BTCUSDT", "interval": "1m"}
    before = api.get("/api/v3/klines", **asked).json()
    faster = replace(VIEWS["bars"], window=timedelta(seconds=10))
    build(market.lake, faster)
    have_served(market, api, faster)
    assert api.get("/api/v3/klines", **asked).json() == before
    have_served(market, api, CHANGED_BARS)
    refused = api.get("/api/v3/klines", **asked)
    assert refused.status_code == 400
    assert "'bars', as served, has no open, high, notional, so that it cannot be charted" in refused.json()["msg"]
    assert api.get("/udf/config").json()["errmsg"].startswith("The view 'bars', as served, has no open, high")


def test_a_view_that_serving_does_not_know_is_said_and_nothing_else_is_answered(
    api: Served, market: SmallMarket
) -> None:
    newest = Publications(market.lake).newest()
    bars, *others = newest.editions
    unknown = replace(bars, definition=bars.definition.replace('"sum"', '"median"'))
    publish(market.lake, replace(newest, sequence=newest.sequence + 1, editions=(unknown, *others)))
    eventually(lambda: api.get("/v1/views/bars").status_code == 503)
    assert_is_problem(api.get("/v1/views/bars"), 503, "does not know", "median", "Run the version that built it")
