"""`twofold view`: a view changed on the command line, from its declaration to the end of the old one."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from small_market import SmallMarket
from typer.testing import CliRunner

from twofold.cli.app import app
from twofold.errors import NoLake, UnknownName, ViewDiffers
from twofold.publication import Publications
from twofold.view import View
from twofold.views import VIEWS
from twofold.views.declared import declared_views

OWN = """
from dataclasses import replace
from datetime import timedelta
from twofold import Count
from twofold.views import VIEWS

bars = replace(VIEWS["bars"], aggregates={**VIEWS["bars"].aggregates, "trades": Count(where={"side": "buy"})})
spread = replace(VIEWS["taker_flow"], name="spread", lateness=timedelta(seconds=5))
"""


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallMarket:
    """A market after a cycle, and a file that declares bars otherwise, and another view."""
    market = SmallMarket(tmp_path)
    market.trade("10:00:00", side="sell")
    market.trade("10:01:00")
    market.cycle()
    (tmp_path / "views.py").write_text(OWN)
    monkeypatch.setenv("TWOFOLD_LAKE", market.lake.root)
    monkeypatch.setenv("TWOFOLD_VIEWS", str(tmp_path / "views.py"))
    return market


@pytest.fixture
def changed(market: SmallMarket, tmp_path: Path) -> View:
    """Bars as the file declares them."""
    assert market
    return declared_views(tmp_path / "views.py")["bars"]


def said(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["view", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_the_list_has_what_is_served_and_what_is_declared_otherwise(market: SmallMarket, changed: View) -> None:
    lines = said("list").splitlines()
    assert "Views, publication 1" in lines[0]
    row = {line.split("│")[2].strip(): line for line in lines if line.startswith("│")}
    assert "served" in row[VIEWS["bars"].hash]
    assert "views/bars" in row[VIEWS["bars"].hash]
    assert "declared, not built" in row[changed.hash]
    assert market.cycle().view_hashes["bars"] == VIEWS["bars"].hash


def test_a_view_is_changed_step_by_step(market: SmallMarket, changed: View) -> None:
    old = VIEWS["bars"].hash
    built = said("build", "bars")
    assert "2024-08-09 folded, 1 of 1 days" in built
    assert f"bars {changed.hash} stands beside since publication 2, in the table views/bars-{changed.hash}." in built
    assert "is there already, beside since publication 2" in said("build", "bars")

    compared = said("diff", "bars")
    assert f"bars at publication 2: {old} (served) and {changed.hash} are different." in compared
    assert "differing rows   1" in compared
    assert "trades         differs in 1 rows" in compared
    address = compared.split("are the Delta table ")[1].strip().rstrip(".")
    assert pl.read_delta(address).select("trades__served", "trades__beside").rows() == [(1, 0)]

    promoted = said("promote", "bars")
    assert f"bars is served as {changed.hash} since publication 3." in promoted
    assert f"`twofold view promote bars {old}` takes this back" in promoted
    assert "is served already, since publication 3" in said("promote", "bars")

    assert f"bars {old} was retired by publication 4." in said("retire", "bars")
    assert "Nothing to retire" in said("retire", "bars")
    assert Publications(market.lake).newest().view_hashes["bars"] == changed.hash
    retired = next(line for line in said("list").splitlines() if old in line)
    assert "retired" in retired


def test_a_promotion_is_taken_back_by_promoting_the_other(market: SmallMarket, changed: View) -> None:
    said("build", "bars")
    said("promote", "bars")
    assert "is served as" in said("promote", "bars", VIEWS["bars"].hash[:8])
    assert Publications(market.lake).newest().view_hashes["bars"] == VIEWS["bars"].hash
    assert changed.hash in said("list")


def test_a_new_view_is_served_once_it_was_promoted(market: SmallMarket) -> None:
    said("build", "spread")
    assert "spread" not in Publications(market.lake).newest().view_hashes
    assert "spread is served as" in said("promote", "spread")
    assert "spread" in Publications(market.lake).newest().view_hashes


@pytest.mark.usefixtures("market")
def test_what_does_not_exist_is_told_with_what_does() -> None:
    with pytest.raises(UnknownName, match=r"declared view 'bar'.*Known: bars, spread, taker_flow"):
        said("build", "bar")
    with pytest.raises(ViewDiffers, match="which was not built"):
        said("promote", "bars")
    with pytest.raises(ViewDiffers, match="Nothing stands beside"):
        said("diff", "bars")


def test_without_a_lake_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWOFOLD_LAKE", str(tmp_path / "nowhere"))
    for command in ("list", "build"):
        with pytest.raises(NoLake):
            said(command, *(["bars"] if command == "build" else []))
