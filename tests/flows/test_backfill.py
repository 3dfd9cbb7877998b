"""The backfill as a flow: a real Prefect server and a real lake."""

from pathlib import Path

import orjson
import pytest
from import_maker import lines
from scheduling import PrefectServer
from small_market import DAY, trade_value

from batch_layer.cycle import BatchCycle
from batch_layer.intake import Intake
from flows.backfill import ARTIFACT, PROGRESS, backfill
from twofold.errors import CaptureError, LakeUnreachable
from twofold.lake import Lake
from twofold.publication import Publications

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("prefect")]

TRADES = [trade_value(f"10:00:0{number}", number) for number in range(6)]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("TWOFOLD_DATA_FOLDER", str(tmp_path))
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files of two days, of which the second repeats a trade."""
    folder = tmp_path / "files"
    folder.mkdir()
    lines(folder / f"{DAY}.ndjson", *TRADES[:3])
    lines(folder / "2024-08-10.ndjson", *TRADES[2:])
    return folder


def test_files_are_taken_in_by_their_days_each_by_a_task_and_tabled(
    prefect: PrefectServer, lake: Lake, folder: Path
) -> None:
    state = backfill([folder], return_state=True)
    assert state.message == "7 rows of 2 files read, 6 of them new trades."
    run = str(state.state_details.flow_run_id)
    found = prefect.find("artifacts", artifacts={"flow_run_id": {"any_": [run]}})
    by_key = {each["key"]: each for each in found}
    assert float(by_key[PROGRESS]["data"]) == 100
    rows = orjson.loads(by_key[ARTIFACT]["data"])
    assert [(row["file"], row["taken"], row["repeated"]) for row in rows] == [
        (f"{DAY}.ndjson", 3, 0),
        ("2024-08-10.ndjson", 3, 1),
    ]
    tasks = prefect.find("task_runs", flow_runs={"id": {"any_": [run]}})
    assert {f"take-in {DAY}.ndjson", "take-in 2024-08-10.ndjson"} <= {task["name"] for task in tasks}
    assert Publications(lake).newest().sequence == 2


def test_the_same_again_publishes_nothing(lake: Lake, folder: Path) -> None:
    backfill([folder])
    assert backfill([folder], return_state=True).message == "0 rows of 2 files read, 0 of them new trades."
    assert Publications(lake).newest().sequence == 2


def test_a_file_is_gone_on_with_when_the_lake_is_there_again(
    lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, calls = BatchCycle.keep, []

    def keeps_at_the_second_try(cycle: BatchCycle, intake: Intake) -> Intake:
        calls.append(intake)
        if len(calls) == 1:
            raise LakeUnreachable("The disk does not answer.")
        return keep(cycle, intake)

    monkeypatch.setattr(BatchCycle, "keep", keeps_at_the_second_try)
    state = backfill([folder / f"{DAY}.ndjson"], return_state=True)
    assert state.message == "3 rows of 1 files read, 3 of them new trades."
    assert Publications(lake).newest().sequence == 1


def test_what_is_no_file_of_trades_fails_at_once(prefect: PrefectServer, lake: Lake, tmp_path: Path) -> None:
    state = backfill([lines(tmp_path / "notes.txt", b"not a trade")], return_state=True)
    assert state.is_failed()
    with pytest.raises(CaptureError, match="of no known kind"):
        state.result()
    assert Publications(lake).newest().sequence == 0
    assert prefect.url
