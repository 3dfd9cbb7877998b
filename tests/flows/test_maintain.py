"""The maintenance as a flow: a real Prefect server and a real lake."""

from pathlib import Path

import orjson
import pytest
from crowded_market import crowded_market
from scheduling import PrefectServer
from small_market import SmallMarket

from batch_layer.turn import turn
from flows.maintain import ARTIFACT, maintain
from twofold.publication import Publications

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("prefect")]


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallMarket:
    monkeypatch.setenv("TWOFOLD_CYCLE_INTERVAL_S", "0.1")
    return crowded_market(tmp_path, monkeypatch)


@pytest.mark.usefixtures("market")
def test_files_are_joined_and_tabled(prefect: PrefectServer) -> None:
    state = maintain(return_state=True)
    assert str(state.message).startswith("Publication 4: ")
    run = {"flow_run_id": {"any_": [str(state.state_details.flow_run_id)]}, "key": {"any_": [ARTIFACT]}}
    (artifact,) = prefect.find("artifacts", artifacts=run)
    raw = next(row for row in orjson.loads(artifact["data"]) if row["table"] == "raw")
    assert (raw["files"], raw["files now"]) == (3, 1)
    assert "The table versions of 3 publications stay" in artifact["description"]
    tries = prefect.tries(state)
    assert {name: tries[name] for name in ("compact", "publish", "clean")} == {"compact": 1, "publish": 1, "clean": 1}


def test_while_a_cycle_is_at_work_it_is_skipped(market: SmallMarket) -> None:
    with turn(market.lake):
        state = maintain(return_state=True)
    assert (state.type, state.name) == ("COMPLETED", "Skipped")
    assert Publications(market.lake).newest().sequence == 3
