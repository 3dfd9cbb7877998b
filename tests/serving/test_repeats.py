"""Requests that come again: they are answered from what the first left, and by nothing else of the application."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from keyed import bearing, key_file
from prometheus_client import CollectorRegistry
from served import NOBODY, assert_is_problem, served
from small_market import SmallMarket
from starlette.types import ASGIApp, Receive, Scope, Send
from vouched import vouching

from serving import repeats
from serving.access.known import KnownKeys
from serving.access.policy import Policy
from serving.access.rates import Rates
from serving.app import make_app
from serving.metrics.requests import Requests
from serving.repeats import Repeats
from serving.seam import Pair, Seam
from serving.speed_side import SpeedClient
from twofold.views import VIEWS

BARS = "/v1/views/bars?last=3"
PLAIN = {"Accept-Encoding": "identity"}


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    market = SmallMarket(tmp_path)
    for clock in ("10:00:01", "10:01:01", "10:02:01"):
        market.trade(clock)
    market.cycle()
    return market


class Counting:
    """An application, and how often it was asked."""

    def __init__(self, app: ASGIApp) -> None:
        self.times = 0
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.times += 1
        await self._app(scope, receive, send)


class Repeated:
    """The API behind a middleware of repeats of its own."""

    def __init__(self, market: SmallMarket, policy: Policy | None = None) -> None:
        self.seam = Seam(market.lake, SpeedClient(NOBODY), VIEWS)
        self.follow()
        policy = policy or Policy()
        self.behind = Counting(make_app(self.seam, vouching(market.lake), policy=policy))
        self._repeats = Repeats(self.behind, self.seam, policy, Requests(CollectorRegistry()))

    def follow(self) -> None:
        """Answer from the newest publication."""
        self.seam.look_at_lake()
        assert self.seam.newest is not None
        self.seam.current = Pair(self.seam.newest)

    def get(self, path: str = BARS, **headers: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._repeats)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await client.get(path, headers=PLAIN | headers)

        return asyncio.run(ask())


def but_for_age(response: httpx.Response) -> dict[str, Any]:
    answer: dict[str, Any] = response.json()
    answer["freshness"].pop("age_ms")
    return answer


def test_a_request_that_comes_again_is_answered_as_before_and_not_handed_on(market: SmallMarket) -> None:
    api = Repeated(market)
    first, second = api.get(), api.get()
    assert api.behind.times == 1
    assert len(second.json()["rows"]) == 3
    assert but_for_age(second) == but_for_age(first)
    assert second.headers == first.headers
    assert int(second.headers["content-length"]) == len(second.content)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/views/bars?last=2", {}),
        ("/v1/views/taker_flow?last=3", {}),
        (BARS, {"Accept": "text/csv"}),
        (BARS, {"If-None-Match": "*"}),
        (BARS, {"User-Agent": "another"}),
    ],
)
def test_a_request_that_differs_in_anything_is_handed_on(
    market: SmallMarket, path: str, headers: dict[str, str]
) -> None:
    api = Repeated(market)
    api.get()
    other = api.get(path, **headers)
    assert api.behind.times == 2
    assert other.status_code == (304 if "If-None-Match" in headers else 200)


@pytest.mark.parametrize(
    "path", ["/v1/views/bars?format=csv", "/v1/views/bars?limit=2", "/v1/views/bars?last=x", "/v1/views", "/healthz"]
)
def test_what_is_no_whole_answer_as_json_is_never_repeated(market: SmallMarket, path: str) -> None:
    api = Repeated(market)
    first, second = api.get(path), api.get(path)
    assert api.behind.times == 2
    assert first.status_code == second.status_code


def test_an_answer_that_is_compressed_is_never_repeated(market: SmallMarket) -> None:
    api = Repeated(market)
    for _ in range(2):
        answer = api.get(**{"Accept-Encoding": "gzip"})
        assert answer.headers["content-encoding"] == "gzip"
        assert len(answer.json()["rows"]) == 3
    assert api.behind.times == 2


def test_a_publication_ends_what_is_repeated(market: SmallMarket) -> None:
    api = Repeated(market)
    before = api.get()
    market.trade("10:02:30")
    market.cycle()
    api.follow()
    after = api.get()
    assert before.json()["rows"][-1]["trades"] == 1
    assert after.json()["rows"][-1]["trades"] == 2
    assert after.headers["etag"] != before.headers["etag"]
    assert api.get().json()["rows"] == after.json()["rows"]
    assert api.behind.times == 2


def test_another_mode_of_the_live_side_ends_it_too(market: SmallMarket) -> None:
    api = Repeated(market)
    assert api.get().json()["freshness"]["speed"] == "away"
    api.seam.mode = "paused"
    assert api.get().json()["freshness"]["speed"] == "paused"


def test_a_lake_that_went_away_is_told_of_and_nothing_is_repeated(market: SmallMarket) -> None:
    api = Repeated(market)
    api.get()
    Path(market.lake.root).rename(f"{market.lake.root}-elsewhere")
    api.seam.look_at_lake()
    assert_is_problem(api.get(), 503, "The lake cannot be read")


def test_who_asks_too_often_is_refused_whether_it_would_be_a_repeat_or_not(market: SmallMarket) -> None:
    api = Repeated(market, Policy(rates=Rates(1.0, lambda: 0.0)))
    # The one behind has the same rates and counts what is handed on to it.
    assert [api.get().status_code for _ in range(3)] == [200, 200, 429]


def test_once_keys_are_needed_nothing_is_repeated(market: SmallMarket, tmp_path: Path) -> None:
    looks = count()
    keys = KnownKeys(key_file(tmp_path), must=False, now_s=lambda: float(next(looks)))
    api = Repeated(market, Policy(keys=keys))
    assert [api.get().status_code for _ in range(2)] == [200, 200]
    assert api.behind.times == 1
    key = key_file(tmp_path).create("desk", ("read",))
    assert api.get().status_code == 401
    assert [api.get(**bearing(key)).status_code for _ in range(2)] == [200, 200]
    assert api.behind.times == 4


def test_what_is_remembered_is_bounded(market: SmallMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "MOST", 2)
    api = Repeated(market)
    for last in (1, 2, 3):
        api.get(f"/v1/views/bars?last={last}")
    api.get("/v1/views/bars?last=3")
    assert api.behind.times == 3
    api.get("/v1/views/bars?last=1")
    assert api.behind.times == 4


@pytest.fixture
def counted(market: SmallMarket) -> Iterator[httpx.Client]:
    with served(market.lake, worker_left=True) as api:
        yield api.client


def test_repeats_are_counted_as_all_requests_are(counted: httpx.Client) -> None:
    for _ in range(5):
        assert counted.get(BARS, headers=PLAIN).status_code == 200
    told = counted.get("/metrics").text
    assert 'twofold_http_requests_total{route="/v1/views/{view}",status="200"} 5.0' in told
