"""`GET /v1/publications` over a small market: what each batch cycle added."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from eventually import eventually
from served import Served, assert_is_problem, served
from small_market import SmallMarket

from serving import publications

KINDS = ("read", "folded", "duplicates", "dead_letters", "lost")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> SmallMarket:
    """A market with three publications: of two trades, of a repeat and a broken record, and of nothing."""
    market = SmallMarket(tmp_path_factory.mktemp("market"))
    market.trade("10:00:00", trade_id=1)
    market.trade("10:00:01", trade_id=2, lane=1)
    market.cycle()
    market.trade("10:00:01", trade_id=2)
    market.poison()
    market.cycle()
    market.cycle()
    return market


@pytest.fixture(scope="module")
def api(market: SmallMarket) -> Iterator[Served]:
    with served(market.lake, worker_left=True) as api:
        yield api


def told(api: Served, **parameters: int) -> list[dict[str, object]]:
    response = api.get("/v1/publications", **parameters)
    assert response.status_code == 200, response.text
    found: list[dict[str, object]] = response.json()["publications"]
    return found


def test_each_publication_is_told_with_what_it_added_the_newest_first(api: Served) -> None:
    rows = told(api)
    assert [row["sequence"] for row in rows] == [3, 2, 1]
    assert [tuple(row[kind] for kind in KINDS) for row in rows] == [(0, 0, 0, 0, 0), (2, 0, 1, 1, 0), (2, 2, 0, 0, 0)]
    assert rows[0]["tables"] == []
    assert {"raw", "dead_letters"} <= set(rows[1]["tables"])  # type: ignore[call-overload]  # it is a list
    assert "trades" not in rows[1]["tables"]  # type: ignore[operator]  # it is a list
    assert {"raw", "trades", "ledger", "views/bars"} <= set(rows[2]["tables"])  # type: ignore[call-overload]  # likewise
    assert rows[2]["after_s"] is None
    assert all(row["after_s"] >= 0 for row in rows[:2])  # type: ignore[operator]  # they are numbers
    assert rows[0]["published_at"] == api.get("/v1/lanes").json()["published_at"]


def test_so_many_are_told_as_are_asked_for(api: Served) -> None:
    assert told(api, last=2) == told(api)[:2]
    assert_is_problem(api.get("/v1/publications", last=0), 422, "last")
    assert_is_problem(api.get("/v1/publications", last=publications.MOST + 1), 422, "last")


def test_what_the_first_of_them_added_is_known_though_the_one_before_is_not_told(market: SmallMarket) -> None:
    with patch.object(publications, "MOST", 2), served(market.lake, worker_left=True) as api:
        rows = told(api, last=2)
        assert [row["sequence"] for row in rows] == [3, 2]
        assert [rows[1][kind] for kind in KINDS] == [2, 0, 1, 1, 0]
        assert rows[1]["after_s"] is not None


def test_a_new_publication_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    market = SmallMarket(tmp_path_factory.mktemp("market"))
    with served(market.lake, worker_left=True) as api:
        assert api.get("/v1/publications").json() == {"publications": [], "sequence": 0}
        market.trade("10:00:00")
        market.cycle()
        eventually(lambda: told(api))
        assert [(row["sequence"], row["folded"]) for row in told(api)] == [(1, 1)]
