"""`twofold dead-letters` over a real lake, as far as no Kafka is needed; retries are sent in tests/integration."""

from pathlib import Path

import pytest
from click.testing import Result
from letters import MENDED, cycle, desk_trade
from small_market import LANES, SmallMarket
from typer.testing import CliRunner

from twofold.cli.app import app
from twofold.errors import EventLogUnreachable, NoLake, UnknownName
from twofold.port import free_port


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallMarket:
    """A market whose lake the settings name, and no broker."""
    monkeypatch.setenv("TWOFOLD_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("TWOFOLD_BOOTSTRAP_SERVERS", f"127.0.0.1:{free_port()}")
    return SmallMarket(tmp_path)


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["dead-letters", *words])


def lines(*words: str) -> list[str]:
    """What a call that goes well prints, without the spaces that fill the lines."""
    result = run(*words)
    assert result.exit_code == 0, result.output
    return [line.strip() for line in result.stdout.splitlines()]


def test_the_newest_come_last_and_are_counted_by_reason(market: SmallMarket) -> None:
    for second in (3, 1, 2):
        market.poison(clock=f"10:00:0{second}")
    desk_trade(market, lane=1, clock="10:00:09")
    cycle(market)
    printed = lines("list")
    rows = [line.split()[:6] for line in printed if line.startswith(LANES[0][:8])]
    assert [row[:4] for row in rows] == [
        ["3c1f4f0e/0", "1", "2024-08-09", "10:00:01"],
        ["3c1f4f0e/0", "2", "2024-08-09", "10:00:02"],
        ["3c1f4f0e/0", "0", "2024-08-09", "10:00:03"],
        ["3c1f4f0e/1", "0", "2024-08-09", "10:00:09"],
    ]
    assert rows[-1][4:] == ["desk", "unknown_source"]
    assert printed[-1] == "Publication 1, 4 dead letters (3 broken_json, 1 unknown_source)"


def test_the_last_few_of_a_reason_are_listed_and_all_of_that_reason_counted(market: SmallMarket) -> None:
    for second in range(3):
        market.poison(clock=f"10:00:0{second}")
    desk_trade(market)
    cycle(market)
    printed = lines("list", "--reason", "broken_json", "--last", "2")
    assert [line.split()[1] for line in printed if line.startswith("3c1f4f0e")] == ["1", "2"]
    assert printed[-1] == "Publication 1, 3 dead letters (3 broken_json)"
    assert lines("list", "--source", "desk")[-1] == "Publication 1, 1 dead letter (1 unknown_source)"


def test_where_there_are_none_that_is_said(market: SmallMarket) -> None:
    assert lines("list") == ["No dead letters in publication 0."]
    market.trade("10:00:00")
    cycle(market)
    assert lines("list", "--reason", "tombstone") == ["No dead letters in publication 1."]


def test_a_reason_that_does_not_exist_is_an_error(market: SmallMarket) -> None:
    cycle(market)
    for command in ("list", "retry"):
        assert isinstance(run(command, "--reason", "broken").exception, UnknownName)


def test_one_is_shown_whole_with_what_became_of_its_retry(market: SmallMarket) -> None:
    desk_trade(market, value=b"\x00")
    cycle(market)
    desk_trade(market, lane=1, headers=(("first_at", f"{LANES[0]}:0".encode()),))
    cycle(market, MENDED)
    printed = lines("show", "0", "0")
    assert printed[0] == f"lane       {LANES[0]}"
    assert "reason     unknown_source - The source of the record is not declared." in printed
    assert "value      \\x00" in printed
    assert "header     source = desk" in printed
    assert printed[-1] == f"retried    at {LANES[1]} 0: folded"


def test_one_that_is_not_there_is_an_error(market: SmallMarket) -> None:
    market.poison()
    cycle(market)
    error = run("show", "0", "1").exception
    assert str(error) == f"There is no dead letter '0 1'. Known: {LANES[0]} from 0 to 0."


@pytest.mark.parametrize("words", [(), ("0",), ("0", "0", "--all"), ("--reason", "bad_key", "--all")])
def test_a_retry_has_to_say_which_and_in_one_way(market: SmallMarket, words: tuple[str, ...]) -> None:
    result = run("retry", *words)
    assert result.exit_code == 2
    assert "LANE and OFFSET" in " ".join(result.stderr.split())
    assert market.log.records == []


def test_a_retry_without_a_broker_is_an_error(market: SmallMarket) -> None:
    market.poison()
    cycle(market)
    assert isinstance(run("retry", "--all").exception, EventLogUnreachable)


def test_without_a_lake_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWOFOLD_LAKE", str(tmp_path / "nothing"))
    for words in (["list"], ["show", "0", "0"], ["retry", "--all"]):
        assert isinstance(run(*words).exception, NoLake)


def test_a_conflict_is_listed_shown_with_its_trade_and_left_by_a_retry(market: SmallMarket) -> None:
    market.trade("10:00:00", trade_id=7)
    market.trade("10:00:00", trade_id=7, price="101", lane=1)
    cycle(market)
    assert lines("list", "--reason", "conflict")[-1] == "Publication 1, 1 dead letter (1 conflict)"
    shown = lines("show", "1", "0")
    assert "reason     conflict - The trade had been taken before, with another body, which counts." in shown
    assert "trade      7 of BTCUSDT at simulator" in shown
    assert any(line.endswith("with price 100 and not 101.") for line in shown)
