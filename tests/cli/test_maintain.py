"""`twofold maintain`: what it did, and what it would do."""

from __future__ import annotations

from pathlib import Path

import pytest
from crowded_market import crowded_market
from small_market import SmallMarket
from typer.testing import CliRunner, Result

from twofold.cli.app import app
from twofold.publication import Publications


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallMarket:
    monkeypatch.setenv("COLUMNS", "200")
    return crowded_market(tmp_path, monkeypatch)


def maintain(*words: str) -> Result:
    result = CliRunner().invoke(app, ["maintain", *words])
    assert result.exit_code == 0, result.output
    return result


def cells(result: Result, table: str) -> list[str]:
    (row,) = [line for line in result.output.splitlines() if line.startswith(f"│ {table} ")]
    return [cell.strip() for cell in row.strip("│").split("│")][1:]


def test_it_tables_what_it_did(market: SmallMarket) -> None:
    result = maintain()
    assert "Publication 4" in result.output
    assert cells(result, "raw") == ["3", "1", "0", "0", "0"]
    assert "The table versions of 3 publications stay, from publication 1 on." in result.output
    assert Publications(market.lake).newest().sequence == 4


def test_a_dry_run_writes_nothing(market: SmallMarket) -> None:
    result = maintain("--dry-run")
    assert "What would be done" in result.output
    assert cells(result, "raw") == ["3", "3", "0", "0", "0"]
    assert Publications(market.lake).newest().sequence == 3
