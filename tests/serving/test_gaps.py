"""`GET /v1/gaps` over a small market: what is missing, in which state, and since when."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from served import Served, assert_is_problem, served
from small_market import DAY, SmallMarket

from serving.routes import gaps as route


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A publication with an open, an unusable and a lost gap, and one more trade that is not published."""
    market = SmallMarket(tmp_path_factory.mktemp("market"), hole_age_s=600)
    market.trade("10:00:00", trade_id=1)
    market.trade("10:00:10.5", trade_id=5, arrives="10:00:11")
    market.broken("10:00:20", 6)
    market.trade("10:11:00", trade_id=9)
    market.trade("10:11:01", trade_id=3, symbol="ETHUSDT")
    market.cycle()
    market.trade("10:11:02", trade_id=99)
    with served(market.lake, worker_left=True) as api:
        api.wait_for("away")
        yield api


def gaps(api: Served, **parameters: str) -> list[dict[str, object]]:
    response = api.get("/v1/gaps", **parameters)
    assert response.status_code == 200, response.text
    found: list[dict[str, object]] = response.json()["gaps"]
    return found


def test_each_gap_is_told_with_its_ids_its_state_and_its_times(api: Served) -> None:
    assert api.get("/v1/gaps").json()["sequence"] == 1
    of_btc = {"venue": "simulator", "symbol": "BTCUSDT"}
    before = {"first_event": f"{DAY}T10:00:00Z", "last_event": f"{DAY}T10:00:10.500000Z", "since": f"{DAY}T10:00:11Z"}
    after = {"first_event": f"{DAY}T10:00:10.500000Z", "last_event": f"{DAY}T10:11:00Z", "since": f"{DAY}T10:11:00Z"}
    assert gaps(api) == [
        of_btc | {"first_id": 2, "last_id": 4, "ids": 3, "state": "lost"} | before,
        of_btc | {"first_id": 6, "last_id": 6, "ids": 1, "state": "unusable"} | after,
        of_btc | {"first_id": 7, "last_id": 8, "ids": 2, "state": "open"} | after,
    ]


def test_gaps_may_be_asked_for_by_venue_and_symbol(api: Served) -> None:
    assert len(gaps(api, venue="simulator")) == 3
    assert len(gaps(api, symbol="BTCUSDT", venue="simulator")) == 3
    assert gaps(api, symbol="ETHUSDT") == []


def test_an_unknown_venue_or_symbol_is_not_found_and_the_known_ones_are_named(api: Served) -> None:
    assert_is_problem(api.get("/v1/gaps", symbol="BTCUSD"), 404, "no symbol 'BTCUSD'", "Known: BTCUSDT, ETHUSDT")
    assert_is_problem(api.get("/v1/gaps", venue="binance"), 404, "no venue 'binance'", "Known: simulator")


def test_any_other_parameter_is_refused(api: Served) -> None:
    assert_is_problem(api.get("/v1/gaps", state="open"), 422, "no parameter 'state'", "venue, symbol")


def test_many_gaps_are_answered_alike(api: Served) -> None:
    few = gaps(api)
    with patch.object(route, "AT_ONCE_ROWS", 2):
        assert gaps(api) == few
