"""What is answered while a batch cycle is held: the last publication, or what is live, and it says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from eventually import eventually
from gated_market import GatedMarket
from served import Served, served
from vouched import vouching

from batch_layer.releasing import exclude, failing_ones, release
from twofold.hold import Holds


@pytest.fixture
def market(tmp_path: Path) -> GatedMarket:
    market = GatedMarket(tmp_path)
    market.trade_well(0)
    market.cycle()
    return market


@pytest.fixture
def api(market: GatedMarket) -> Iterator[Served]:
    receipts = vouching(market.lake, market.log.open_reader)
    with market.live_side() as address, served(market.lake, address, receipts) as api:
        api.wait_for("live")
        yield api


def poison(market: GatedMarket, api: Served) -> int:
    """Have a cycle held, and wait till serving knows: the hold's number."""
    market.trade_poison(1)
    number = market.hold().number
    eventually(lambda: api.get("/v1/quality").json()["held"] == number)
    return number


def newest(answer: dict[str, object]) -> dict[str, tuple[str, str]]:
    """The start and the finality of the newest bar of each symbol."""
    rows: list[dict[str, str]] = answer["rows"]  # type: ignore[assignment]  # rows of an answer
    return {row["symbol"]: (row["window_start"][11:16], row["finality"]) for row in rows}


def test_while_a_cycle_is_held_the_last_publication_is_answered_from(market: GatedMarket, api: Served) -> None:
    before = api.bars(last=1, base="published")
    number = poison(market, api)
    answer = api.bars(last=1)
    assert answer["rows"] == before["rows"]
    assert answer["receipt"]["positions"] == answer["receipt"]["cut"] == before["receipt"]["cut"]
    assert (answer["freshness"]["held"], answer["freshness"]["speed"]) == (number, "unused")
    by_sql = api.get("/v1/sql", query="SELECT max(high) AS high FROM bars").json()
    assert float(by_sql["rows"][0]["high"]) == 100
    klines = api.get("/api/v3/klines", symbol="BTCUSDT", interval="1m").json()
    assert max(float(kline[2]) for kline in klines) == 100


def test_what_is_live_can_be_asked_for_and_is_marked_held(market: GatedMarket, api: Served) -> None:
    poison(market, api)
    answer = eventually(
        lambda: found if newest(found := api.bars(last=1, base="live"))["BTCUSDT"][0] == "10:01" else None
    )
    assert newest(answer) == {"BTCUSDT": ("10:01", "held"), "ETHUSDT": ("10:01", "held")}
    assert api.rows(base="live", finality="held", symbol="ETHUSDT")[0]["close"].startswith("21")
    again = api.get(f"/v1/receipts/{answer['receipt']['token']}").json()
    assert (again["rows"], again["receipt"]) == (answer["rows"], answer["receipt"])


@pytest.mark.parametrize(("settle", "high"), [("release", 10_000), ("exclude", 100)])
def test_when_it_is_settled_answers_are_live_again(market: GatedMarket, api: Served, settle: str, high: int) -> None:
    number = poison(market, api)
    held = api.bars()
    if settle == "release":
        release(market.lake, market.new_cycle, number)
    else:
        exclude(market.lake, market.new_cycle, number, failing_ones(Holds(market.lake).all()[-1], "wild"))
    eventually(lambda: api.bars()["freshness"]["held"] is None and api.bars()["receipt"]["sequence"] == 2)
    answer = api.wait_for("live")
    assert max(float(row["high"]) for row in answer["rows"]) == high
    assert {row["finality"] for row in answer["rows"]}.isdisjoint({"held"})
    again = api.get(f"/v1/receipts/{held['receipt']['token']}").json()
    assert (again["rows"], again["receipt"]) == (held["rows"], held["receipt"])
    lanes = api.get("/v1/lanes").json()["lanes"]
    assert all(lane["balanced"] for lane in lanes)
    assert sum(lane["excluded"] for lane in lanes) == (6 if settle == "exclude" else 0)


def test_quality_tells_the_checks_the_holds_and_the_exclusions(market: GatedMarket, api: Served) -> None:
    told = api.get("/v1/quality").json()
    assert {each["outcome"] for each in told["checks"]} <= {"passed", "warned"}
    assert (told["held"], told["holds"], told["exclusions"]) == (None, [], [])
    number = poison(market, api)
    told = api.get("/v1/quality").json()
    (hold,) = told["holds"]
    assert (hold["number"], hold["is_open"], hold["parent"], hold["records"]) == (number, True, 1, 12)
    assert [each["check"] for each in hold["checks"] if each["outcome"] == "failed"] == ["price_near_published"]
    assert [(each["symbol"], each["trades"]) for each in hold["failing"]] == [("BTCUSDT", 6)]
    exclude(market.lake, market.new_cycle, number, failing_ones(Holds(market.lake).all()[-1], "wild"))
    told = eventually(lambda: found if (found := api.get("/v1/quality").json())["sequence"] == 2 else None)
    assert (told["held"], told["holds"][0]["is_open"]) == (None, False)
    assert [(each["symbol"], each["since"], each["reason"]) for each in told["exclusions"]] == [("BTCUSDT", 2, "wild")]


def test_what_was_asked_before_a_cycle_was_held_is_not_repeated_while_it_is(market: GatedMarket, api: Served) -> None:
    def ask(path: str) -> dict[str, object]:
        answer: dict[str, object] = api.client.get(path, headers={"Accept-Encoding": "identity"}).json()
        return answer

    paths = "/v1/views/bars?last=1", "/v1/views/bars?last=1&base=live"
    before = [ask(path) for path in paths for _ in range(2)]
    assert all(answer["freshness"]["held"] is None for answer in before)  # type: ignore[index]  # freshness is an object
    number = poison(market, api)
    while_held = [ask(path) for path in paths for _ in range(2)]
    assert [answer["freshness"]["held"] for answer in while_held] == [number] * 4  # type: ignore[index]  # likewise
    assert [answer["freshness"]["speed"] for answer in while_held] == ["unused"] * 2 + ["live"] * 2  # type: ignore[index]  # likewise
    assert "held" not in {finality for _, finality in newest(while_held[0]).values()}
    assert "held" in {finality for _, finality in newest(while_held[-1]).values()}
