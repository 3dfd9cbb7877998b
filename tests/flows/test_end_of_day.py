"""The end of day as a flow: a real Prefect server and a real lake."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import polars as pl
import pytest
from long_market import LAST_DAY, LongMarket
from scheduling import PrefectServer

from batch_layer.end_of_day.figures import END_OF_DAY
from flows.end_of_day import ARTIFACT, end_of_day
from twofold.errors import NothingTraded

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("prefect")]


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LongMarket:
    """30 days of a symbol in the lake that the settings name, which hold one of it."""
    positions = tmp_path / "positions.csv"
    positions.write_text("venue,symbol,quantity\nsimulator,BTCUSDT,1\n", encoding="utf-8")
    monkeypatch.setenv("TWOFOLD_DATA_FOLDER", str(tmp_path))
    monkeypatch.setenv("TWOFOLD_POSITIONS", str(positions))
    market = LongMarket(tmp_path)
    market.history([str(100 + day % 7) for day in range(30)])
    market.cycle()
    return market


def test_figures_are_kept_reported_and_tabled(prefect: PrefectServer, market: LongMarket, tmp_path: Path) -> None:
    state = end_of_day(day=LAST_DAY, return_state=True)
    kept = pl.read_delta(market.lake.address(END_OF_DAY.name))
    assert (
        state.message
        == f"{kept.height} figures of 2024-08-09, made of publication 1; {kept.height} of them are provisional."
    )
    assert {path.suffix for path in (tmp_path / "reports").iterdir()} == {".html", ".pdf"}
    run = {"flow_run_id": {"any_": [str(state.state_details.flow_run_id)]}, "key": {"any_": [ARTIFACT]}}
    (artifact,) = prefect.find("artifacts", artifacts=run)
    shown = {row["figure"]: row["value"] for row in orjson.loads(artifact["data"])}
    risk = kept.filter(pl.col("figure") == "value at risk, historical 95%")["statistic"].item()
    assert shown["value at risk, historical 95%"] == risk
    assert shown["value"] == 101
    assert prefect.tries(state) == {"make": 1, "keep_figures": 1, "report": 1}


def test_a_publication_is_taken_by_its_number(market: LongMarket) -> None:
    market.on(LAST_DAY, "13:00:00", "7")
    market.cycle()
    for sequence in (1, 2):
        assert f"publication {sequence}" in str(
            end_of_day(day=LAST_DAY, publication=sequence, return_state=True).message
        )
    kept = pl.read_delta(market.lake.address(END_OF_DAY.name)).filter(pl.col("figure") == "close").sort("sequence")
    assert kept["amount"].to_list() == [101, 7]


def test_by_default_the_day_is_the_one_before_the_run(market: LongMarket) -> None:
    before = [datetime.now(UTC).date() - timedelta(days=1)]
    market.on(before[0], "12:00:00", "55")
    market.cycle()
    state = end_of_day(return_state=True)
    before.append(datetime.now(UTC).date() - timedelta(days=1))
    assert state.name == "Nothing traded" if before[0] != before[1] else f"figures of {before[0]}" in str(state.message)


def test_a_day_before_the_run_without_trades_is_no_failure(market: LongMarket) -> None:
    state = end_of_day(return_state=True)
    assert (state.type, state.name) == ("COMPLETED", "Nothing traded")
    assert market.lake.exists("trades")


def test_a_day_that_was_asked_for_and_has_no_trades_fails_at_once(prefect: PrefectServer, market: LongMarket) -> None:
    state = end_of_day(day=LAST_DAY + timedelta(days=9), return_state=True)
    assert state.is_failed()
    with pytest.raises(NothingTraded, match="2024-07-11, 2024-08-09"):
        state.result()
    assert prefect.tries(state) == {"make": 1}
    assert not market.lake.exists(END_OF_DAY.name)


def test_each_parameter_is_explained() -> None:
    explained = end_of_day.parameters.model_dump()["properties"]
    assert set(explained) == {"day", "positions", "symbols", "publication"}
    assert all(parameter["description"] for parameter in explained.values())
