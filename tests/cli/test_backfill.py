"""`twofold backfill`: what it says of each file, and what it refuses before anything is taken in."""

from __future__ import annotations

from pathlib import Path

import pytest
from import_maker import lines
from small_market import DAY, trade_value
from typer.testing import CliRunner, Result

from twofold.cli.app import app
from twofold.errors import CaptureError, UnknownName
from twofold.lake import Lake
from twofold.publication import Publications

TRADES = [trade_value(f"10:00:0{number}", number) for number in range(6)]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("TWOFOLD_DATA_FOLDER", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files of two days; the second repeats a trade and has a row that is none."""
    folder = tmp_path / "files"
    folder.mkdir()
    lines(folder / f"{DAY}.ndjson", *TRADES[:3])
    lines(folder / "2024-08-10.ndjson", *TRADES[2:], b"{")
    return folder


def backfill(*words: object) -> Result:
    return CliRunner().invoke(app, ["backfill", *map(str, words)])


def cells(result: Result, name: str) -> list[str]:
    """The row of the summary that is about a file."""
    (row,) = [line for line in result.output.splitlines() if line.startswith("│") and name in line]
    return [cell.strip() for cell in row.strip("│").split("│")][1:]


def test_each_file_is_summed_up(lake: Lake, folder: Path) -> None:
    result = backfill(folder)
    assert result.exit_code == 0, result.output
    assert f"{DAY}.ndjson: 100%, 3 rows, publication 1" in result.output
    assert cells(result, DAY) == ["0", "3", "3", "0", "0", "1"]
    assert cells(result, "2024-08-10") == ["0", "5", "3", "1", "1", "2"]
    assert Publications(lake).newest().sequence == 2


def test_the_same_again_says_that_it_was_there(lake: Lake, folder: Path) -> None:
    backfill(folder)
    result = backfill(folder, "--day", DAY)
    assert cells(result, DAY) == ["3", "0", "0", "0", "0", "none"]
    assert Publications(lake).newest().sequence == 2


def test_only_the_days_that_are_named_are_taken_in(lake: Lake, folder: Path) -> None:
    backfill(folder, "--day", "2024-08-10")
    (lane,) = Publications(lake).newest().cut.values()
    assert lane == 5
    assert isinstance(backfill(folder, "--day", "2024-08-11").exception, UnknownName)


def test_what_cannot_be_read_is_refused_before_anything_is_taken_in(lake: Lake, folder: Path) -> None:
    lines(folder / "notes.txt", b"not a trade")
    result = backfill(folder)
    assert isinstance(result.exception, CaptureError)
    assert "notes.txt is of no known kind" in str(result.exception)
    assert not lake.exists("publications")
    assert isinstance(backfill(folder / "none").exception, CaptureError)
    assert isinstance(backfill(folder / f"{DAY}.ndjson", "--source", "nobody").exception, UnknownName)
