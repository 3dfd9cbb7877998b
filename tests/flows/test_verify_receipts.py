"""The check of receipts as a flow: a real Prefect server, a serving API as it runs, and a real lake."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from prefect.client.schemas.objects import State
from pydantic import SecretStr
from scheduling import PrefectServer
from served import Served, served
from small_market import SmallMarket
from vouched import KEYS

import flows.verify_receipts
from flows.verify_receipts import ARTIFACT, verify_receipts
from serving.receipts.remaking import Remaker
from twofold.port import free_port

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("prefect")]


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    return SmallMarket(tmp_path)


@pytest.fixture
def api(market: SmallMarket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The serving API that the settings name; its speed worker has left."""
    monkeypatch.setenv("TWOFOLD_DATA_FOLDER", str(tmp_path))
    (tmp_path / "receipt-keys.txt").write_text(KEYS[0], encoding="utf-8")
    with served(market.lake, worker_left=True) as api:
        monkeypatch.setenv("TWOFOLD_SERVING_ADDRESS", api.client.base_url.netloc.decode())
        yield api


def fill(market: SmallMarket) -> None:
    """Publish some minutes of two symbols."""
    for minute in range(10, 20):
        market.trade(f"10:{minute}:01", price=str(minute))
        market.trade(f"10:{minute}:02", symbol="ETHUSDT", size=str(minute))
    market.cycle()


def rows(prefect: PrefectServer, state: State[Any]) -> list[dict[str, Any]]:
    """What the artifact of a run tables."""
    run = str(state.state_details.flow_run_id)
    (found,) = prefect.find("artifacts", artifacts={"flow_run_id": {"any_": [run]}, "key": {"any_": [ARTIFACT]}})
    table: list[dict[str, Any]] = orjson.loads(found["data"])
    return table


def test_answers_that_come_out_the_same_are_tabled(prefect: PrefectServer, market: SmallMarket, api: Served) -> None:
    fill(market)
    api.seam.look_at_lake()
    state = verify_receipts(answers=30, seed=1, return_state=True)
    assert state.is_completed()
    assert state.message == "30 answers of publications 1 to 1 came out the same."
    table = rows(prefect, state)
    assert {row["made again"] for row in table} == {"the same"}
    assert {row["question"].split("?")[0] for row in table} == {"bars", "taker_flow"}
    assert sum(row["rows"] for row in table) > 30
    again = rows(prefect, verify_receipts(answers=30, seed=1, return_state=True))
    assert [row["question"] for row in again] == [row["question"] for row in table]


def test_an_answer_that_comes_out_otherwise_fails_the_run_and_is_named(
    prefect: PrefectServer, market: SmallMarket, api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(market)
    api.seam.look_at_lake()
    honest = flows.verify_receipts.ask

    def tampered(address: str, view: str, parameters: dict[str, str | int], **key: SecretStr) -> dict[str, Any]:
        answer = honest(address, view, parameters, **key)
        if view == "bars" and "interval" in parameters:
            answer["rows"][0]["trades"] += 1
        return answer

    monkeypatch.setattr(flows.verify_receipts, "ask", tampered)
    state = verify_receipts(answers=10, seed=1, return_state=True)
    assert state.is_failed()
    assert "10 answers did not come out the same" in str(state.message)
    assert "trades is" in str(state.message)
    different = [row for row in rows(prefect, state) if row["made again"] != "the same"]
    assert {row["question"].split("?")[0] for row in different} == {"bars"}


def test_an_answer_that_cannot_be_made_again_fails_the_run(
    prefect: PrefectServer, market: SmallMarket, api: Served, tmp_path: Path
) -> None:
    fill(market)
    api.seam.look_at_lake()
    (tmp_path / "receipt-keys.txt").write_text("o" * 40, encoding="utf-8")
    state = verify_receipts(answers=2, return_state=True)
    assert state.is_failed()
    assert {row["made again"].split(":")[0] for row in rows(prefect, state)} == {"not possible"}


def test_without_any_rows_there_is_nothing_to_ask(api: Served) -> None:
    state = verify_receipts(return_state=True)
    assert (state.type, state.name) == ("COMPLETED", "Nothing to ask")
    assert api.rows() == []


def test_serving_that_is_away_is_asked_again_and_then_named(
    prefect: PrefectServer, market: SmallMarket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(market)
    monkeypatch.setenv("TWOFOLD_DATA_FOLDER", str(tmp_path))
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("TWOFOLD_SERVING_ADDRESS", address)
    state = verify_receipts(return_state=True)
    assert state.is_failed()
    assert f"Serving does not answer at {address}" in str(state.message)
    assert prefect.tries(state) == {"take": 4}


def test_an_error_that_stays_is_not_tried_again(
    prefect: PrefectServer, market: SmallMarket, api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(market)
    api.seam.look_at_lake()

    def wrong(*_: object) -> None:
        raise ValueError("always the same")

    monkeypatch.setattr(Remaker, "make_again", wrong)
    state = verify_receipts(answers=1, return_state=True)
    assert state.is_failed()
    assert prefect.tries(state) == {"take": 1, "make_again": 1}


def test_each_parameter_is_explained_with_its_bounds() -> None:
    explained = verify_receipts.parameters.model_dump()["properties"]
    assert all(parameter["description"] for parameter in explained.values())
    assert (explained["answers"]["minimum"], explained["answers"]["maximum"]) == (1, 1000)
