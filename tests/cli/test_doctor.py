from pathlib import Path

import pytest
from deltalake import DeltaTable
from lake_files import LakeFiles, empty
from small_market import SmallMarket
from typer.testing import CliRunner, Result

from batch_layer.turn import turn
from twofold.cli.app import app
from twofold.errors import TurnTaken
from twofold.port import free_port
from twofold.publication import Publications


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
    assert lines[1] == "Sound: 9 tables, 1 publications."


def test_each_finding_is_one_line_and_the_exit_code_says_that_there_are_some(market: SmallMarket) -> None:
    empty(LakeFiles(market.lake).commit("raw", 1))
    result = doctor()
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[0].startswith("commit | raw, version 1: its commit is empty")
    assert lines[-1] == "Findings: 2."


def test_a_mend_is_said_asked_for_and_done(market: SmallMarket) -> None:
    files = LakeFiles(market.lake)
    empty(files.commit("raw", 1))
    result = doctor("--mend", answers="y\ny\n")
    assert result.exit_code == 0
    assert "Go back to the state before the first publication" in result.output
    assert result.output.count("Do it?") == 2
    assert result.output.splitlines()[-1] == "Sound: 9 tables, 1 publications."
    assert market.cycle().sequence == 3


def test_a_mend_that_is_declined_changes_nothing(market: SmallMarket) -> None:
    files = LakeFiles(market.lake)
    empty(files.commit("raw", 1))
    before = {path: path.read_bytes() for path in files.root.rglob("*.*") if path.is_file()}
    result = doctor("--mend", answers="n\n")
    assert result.exit_code == 1
    assert {path: path.read_bytes() for path in before} == before
    assert not (files.root / ".doctor").exists()


def test_without_asking_nothing_is_done_by_which_records_may_be_lost(market: SmallMarket) -> None:
    empty(LakeFiles(market.lake).commit("raw", 1))
    result = doctor("--mend", "--yes")
    assert result.exit_code == 1
    assert "Not done without asking, since something may be lost that can still be had" in result.output
    assert Publications(market.lake).newest().sequence == 1


def test_without_asking_the_rest_is_done(market: SmallMarket) -> None:
    LakeFiles(market.lake).checkpoint("raw").write_bytes(b"")
    result = doctor("--mend", "--yes")
    assert result.exit_code == 0
    assert "Do it?" not in result.output
    assert DeltaTable(market.lake.address("raw")).version() == 1


def test_nothing_is_mended_while_a_cycle_has_its_turn(market: SmallMarket) -> None:
    empty(LakeFiles(market.lake).commit("raw", 1))
    with turn(market.lake):
        result = doctor("--mend", "--yes")
    assert isinstance(result.exception, TurnTaken)
    assert "A batch cycle is at work" in str(result.exception)


@pytest.mark.usefixtures("market")
def test_what_nothing_is_asked_about_cannot_be_agreed_to() -> None:
    result = doctor("--yes")
    assert result.exit_code == 2
    assert "goes with --mend" in result.output
