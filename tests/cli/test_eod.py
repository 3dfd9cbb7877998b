"""`twofold eod`: the same as the flow, in a terminal."""

from pathlib import Path

import pytest
from long_market import LongMarket
from typer.testing import CliRunner, Result

from twofold.cli.app import app
from twofold.errors import NothingTraded, UnknownName


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LongMarket:
    monkeypatch.setenv("TWOFOLD_DATA_FOLDER", str(tmp_path))
    market = LongMarket(tmp_path)
    market.history(["100"] * 3)
    market.next_day()
    market.cycle()
    return market


def eod(*words: str) -> Result:
    return CliRunner().invoke(app, ["eod", *words])


def test_it_says_where_the_report_is_and_what_was_made(market: LongMarket, tmp_path: Path) -> None:
    positions = tmp_path / "positions.csv"
    positions.write_text("venue,symbol,quantity\nsimulator,BTCUSDT,-1\n", encoding="utf-8")
    result = eod("2024-08-09", "--positions", str(positions), "--symbols", "BTCUSDT", "--publication", "1")
    assert result.exit_code == 0
    *paths, said = result.output.replace("\n.", ".").splitlines()
    assert [Path(path).is_file() for path in paths] == [True, True]
    assert said.endswith("figures of 2024-08-09, made of publication 1; 0 of them are provisional.")
    assert market.lake.exists("end_of_day")


def test_what_does_not_exist_is_told(market: LongMarket) -> None:
    assert market.lake.is_local
    assert isinstance(eod("2024-08-20").exception, NothingTraded)
    assert isinstance(eod("2024-08-09", "--publication", "9").exception, UnknownName)
    assert eod("yesterday").exit_code == 2
