"""What was known, over HTTP: as of a time, and some time after the end of each window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from eventually import eventually
from served import Served, assert_is_problem, served
from small_market import DAY, LANES, SmallMarket
from vouched import vouching

import serving.receipts.remaking
import twofold
from twofold.lake import Lake


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    """A window whose trades arrive at once, two seconds and a minute after its end, the last above the cut."""
    market = SmallMarket(tmp_path)
    market.trade("10:00:01", price="100")
    market.trade("10:00:59", price="101", arrives="10:01:02")
    market.trade("10:01:30", price="102")
    market.cycle()
    market.trade("10:00:30", price="99", arrives="10:02:00", lane=1)
    return market


@pytest.fixture
def api(market: SmallMarket) -> Iterator[Served]:
    receipts = vouching(market.lake, market.log.open_reader)
    with market.live_side() as address, served(market.lake, address, receipts) as api:
        eventually(lambda: api.is_ready() and api.bars()["receipt"]["positions"].get(LANES[1]) == 1)
        yield api


def trades(rows: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(row["window_start"][11:16], row["trades"]) for row in rows]


@pytest.mark.parametrize(
    ("clock", "known"),
    [
        ("09:59:59", []),
        ("10:00:01", [("10:00", 1)]),
        ("10:01:01.999999", [("10:00", 1)]),
        ("10:01:02", [("10:00", 2)]),
        ("10:01:59", [("10:00", 2), ("10:01", 1)]),
        ("10:02:00", [("10:00", 3), ("10:01", 1)]),
        ("23:59:59", [("10:00", 3), ("10:01", 1)]),
    ],
)
def test_as_of_a_time_there_is_what_had_arrived_by_then(api: Served, clock: str, known: list[tuple[str, int]]) -> None:
    assert trades(api.rows(as_of=f"{DAY}T{clock}Z")) == known
    assert trades(api.rows(as_of=f"{DAY}T{clock}Z", last=1)) == known[-1:]


@pytest.mark.parametrize(
    ("known_after", "known"),
    [
        ("0s", [("10:00", 1), ("10:01", 1)]),
        ("1999ms", [("10:00", 1), ("10:01", 1)]),
        ("2s", [("10:00", 2), ("10:01", 1)]),
        ("1m", [("10:00", 3), ("10:01", 1)]),
    ],
)
def test_of_each_window_there_is_what_had_arrived_so_long_after_its_end(
    api: Served, known_after: str, known: list[tuple[str, int]]
) -> None:
    assert trades(api.rows(known_after=known_after)) == known


def test_the_end_of_a_longer_window_is_its_own(api: Served) -> None:
    assert trades(api.rows(known_after="0s", interval="2m")) == [("10:00", 4)]
    assert trades(api.rows(known_after="0s", interval="2m", as_of=f"{DAY}T10:01:59Z")) == [("10:00", 3)]


def test_the_published_side_alone_is_asked_without_an_event_log(market: SmallMarket) -> None:
    with served(market.lake) as api:
        eventually(lambda: api.get("/v1/views/bars", base="published").is_success)
        assert trades(api.rows(base="published", as_of=f"{DAY}T10:05:00Z")) == [("10:00", 2), ("10:01", 1)]


def test_the_receipt_says_as_of_when_and_the_answer_is_made_again(api: Served, market: SmallMarket) -> None:
    given = [api.bars(as_of=f"{DAY}T10:01:30Z"), api.bars(known_after="2s")]
    assert [answer["receipt"]["query"].get("known_after_us") for answer in given] == [None, 2_000_000]
    assert given[0]["receipt"]["query"]["as_of_us"] == 1_723_197_690_000_000
    market.trade("10:00:31", arrives="10:00:31")
    market.cycle()
    for answer in given:
        again = api.get(f"/v1/receipts/{answer['receipt']['token']}").json()
        assert (again["rows"], again["receipt"]) == (answer["rows"], answer["receipt"])


def test_pages_of_it_are_those_of_one_answer(api: Served) -> None:
    whole = api.rows(as_of=f"{DAY}T10:05:00Z")
    first = api.bars(as_of=f"{DAY}T10:05:00Z", limit=1)
    second = api.bars(as_of=f"{DAY}T10:05:00Z", limit=1, cursor=first["next"])
    assert first["rows"] + second["rows"] == whole


def test_asked_again_it_is_not_sent_again(api: Served) -> None:
    first = api.get("/v1/views/bars", as_of=f"{DAY}T10:05:00Z")
    headers = {"If-None-Match": first.headers["ETag"]}
    again = api.client.get("/v1/views/bars", params={"as_of": f"{DAY}T10:05:00Z"}, headers=headers)
    assert again.status_code == httpx.codes.NOT_MODIFIED
    assert api.get("/v1/views/bars", as_of=f"{DAY}T10:00:30Z").headers["ETag"] != first.headers["ETag"]


def test_few_files_are_read_where_little_had_arrived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    market = SmallMarket(tmp_path)
    for minute in range(10):
        market.trade(f"10:{minute:02}:30")
        market.cycle()
    counts: list[int] = []
    real = Lake.read_files

    def counted(lake: Lake, table: str, files: list[str], *rest: object) -> object:
        counts.append(len(files) if table == "trades" else 0)
        return real(lake, table, files, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Lake, "read_files", counted)
    with served(market.lake) as api:
        eventually(lambda: api.get("/v1/views/bars", base="published").is_success)
        counts.clear()
        assert trades(api.rows(base="published", as_of=f"{DAY}T10:01:40Z")) == [("10:00", 1), ("10:01", 1)]
        assert sum(counts) == 2


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"as_of": "9999-01-01T00:00:00Z"}, ("as_of is 9999-01-01T00:00:00Z", "clock")),
        ({"as_of": "yesterday"}, ("as_of", "RFC 3339")),
        ({"known_after": "-2s"}, ("known_after", "500ms")),
        ({"known_after": "2"}, ("known_after",)),
    ],
)
def test_what_cannot_be_known_is_refused(api: Served, asked: dict[str, str], words: tuple[str, ...]) -> None:
    assert_is_problem(api.get("/v1/views/bars", **asked), 422, *words)


def test_unknown_names_are_told_as_ever(api: Served) -> None:
    response = api.get("/v1/views/bars", symbol="NOTHING", as_of=f"{DAY}T10:05:00Z")
    assert_is_problem(response, 404, "BTCUSDT")


def test_too_many_trades_are_not_looked_at(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving.receipts.remaking, "MOST_TRADES", 2)
    assert_is_problem(api.get("/v1/views/bars", known_after="2s"), 422, "3 trades", "start, end or symbol")
    assert trades(api.rows(known_after="1s", end=f"{DAY}T09:00:00Z")) == []


def test_the_client_asks_for_it(api: Served) -> None:
    with twofold.Client(str(api.client.base_url)) as client:
        known = client.view("bars", symbol="BTCUSDT", as_of=f"{DAY}T10:01:02Z", known_after="2s")
    assert known.frame["trades"].to_list() == [2]
