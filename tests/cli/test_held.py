"""`twofold held` over a real lake, without a broker: what is held is in the lake."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from gated_market import GatedMarket
from small_market import LANES
from typer.testing import CliRunner

from twofold.cli.app import app
from twofold.errors import ExclusionRefused, UnknownName
from twofold.port import free_port


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GatedMarket:
    """A market whose lake the settings name, and no broker."""
    monkeypatch.setenv("TWOFOLD_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("TWOFOLD_BOOTSTRAP_SERVERS", f"127.0.0.1:{free_port()}")
    market = GatedMarket(tmp_path)
    market.trade_well(0)
    market.cycle()
    return market


@pytest.fixture
def held(market: GatedMarket) -> GatedMarket:
    """The same, with a cycle that is held."""
    market.trade_poison(1)
    market.hold()
    return market


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["held", *words])


def printed(*words: str) -> str:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.usefixtures("market")
def test_where_nothing_was_held_that_is_said() -> None:
    assert printed("list") == "Nothing was ever held. Publication 1 is the newest.\n"


@pytest.mark.usefixtures("held")
def test_holds_are_listed_with_their_state_and_why() -> None:
    row = printed("list").splitlines()[3].split()
    assert row[:7] == ["1", "2024-08-09", "10:05:00", "1", "12", "waits", "price_near_published:"]


@pytest.mark.usefixtures("held")
def test_one_is_shown_with_every_check_and_what_failed_it() -> None:
    lines = printed("show", "1").splitlines()
    assert f"lane       {LANES[0]}:6-14" in lines
    assert f"failing    {LANES[0]}:6-14, 6 trades of BTCUSDT" in lines
    assert any(line.startswith("failed     price_near_published of trades: 6 rows") for line in lines)
    assert sum(line.startswith("passed") for line in lines) > 15


def test_it_is_released(held: GatedMarket) -> None:
    assert printed("release", "1") == "Publication 2 has what was held as number 1.\n"
    assert held.newest().accounts[LANES[0]].folded == 15
    assert " published " in printed("list")
    assert isinstance(run("release", "1").exception, UnknownName)


def test_what_failed_is_excluded_if_nothing_else_is_said(held: GatedMarket) -> None:
    assert f"  {LANES[0]}:6-14 of BTCUSDT\n" in printed("exclude", "1", "--reason", "a feed gone wild")
    assert held.newest().accounts[LANES[0]].excluded == 6
    assert held.newest().exclusions[0].reason == "a feed gone wild"


def test_named_records_and_ranges_are_excluded(held: GatedMarket) -> None:
    words = [f"--records={LANES[0]}:{place}" for place in ("6", "8", "9-14")]
    assert held.newest().sequence == 1
    printed("exclude", "1", *words, "--symbol", "BTCUSDT")
    assert held.newest().accounts[LANES[0]].excluded == 6


@pytest.mark.usefixtures("held")
def test_what_does_not_mend_it_or_is_no_range_is_an_error() -> None:
    assert isinstance(run("exclude", "1", f"--records={LANES[0]}:6").exception, ExclusionRefused)
    assert "is not LANE:OFFSET" in run("exclude", "1", "--records=6").output
    assert isinstance(run("exclude", "7").exception, UnknownName)
    assert isinstance(run("show", "7").exception, UnknownName)
