from pathlib import Path

import pytest
from lake_files import LakeFiles, empty
from small_market import SmallMarket
from typer.testing import CliRunner, Result

from twofold.cli.app import app
from twofold.port import free_port


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallMarket:
    """A market after a cycle, which the settings name; its event log does not answer."""
    market = SmallMarket(tmp_path)
    market.trade("10:00:00")
    market.cycle()
    monkeypatch.setenv("TWOFOLD_LAKE", market.lake.root)
    monkeypatch.setenv("TWOFOLD_BOOTSTRAP_SERVERS", f"127.0.0.1:{free_port()}")
    return market


def doctor(*options: str, answers: str = "") -> Result:
    return CliRunner().invoke(app, ["doctor", *options], input=answers)


@pytest.mark.usefixtures("market")
def test_a_sound_lake_is_said_to_be_so_and_what_was_not_checked() -> None:
    result = doctor()
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0].startswith("not checked | Whether the event log is what the cut is of: No Kafka broker answers")
    assert lines[1] == "Sound: 7 tables, 1 publications."


def test_each_finding_is_one_line_and_the_exit_code_says_that_there_are_some(market: SmallMarket) -> None:
    empty(LakeFiles(market.lake).commit("raw", 1))
    result = doctor()
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[0].startswith("commit | raw, version 1: its commit is empty")
    assert lines[-1] == "Findings: 2."
