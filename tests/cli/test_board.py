from typing import Any

from rich.console import Console

from twofold.cli.board import board, busiest, settled
from twofold.supervision.keeper import Status


def row(symbol: str, minute: int, finality: str = "provisional", notional: str = "1") -> dict[str, Any]:
    return {
        "venue": "v",
        "symbol": symbol,
        "window_start": f"2024-08-08T23:{minute:02}:00Z",
        "finality": finality,
        "revisions": 0,
        "notional": notional,
        "trades": 1,
    } | dict.fromkeys(("open", "high", "low", "close", "volume"), "1.00")


def answer(*rows: dict[str, Any]) -> dict[str, Any]:
    freshness = {"newest_event": None, "lag_records": 0, "age_ms": 5}
    return {"rows": list(rows), "receipt": {"sequence": 3}, "freshness": freshness}


def symbols(rows: list[dict[str, Any]]) -> list[str]:
    return [found["symbol"] for found in rows]


def test_the_symbols_with_the_most_traded_are_shown_first() -> None:
    rows = [row("A", 1), row("B", 1, notional="7"), row("B", 2, notional="8"), row("C", 1, notional="9")]
    assert symbols(busiest(rows, 6)) == ["B", "B", "C"]


def test_few_symbols_share_the_room_by_their_newest_windows() -> None:
    rows = [row(symbol, minute) for symbol in "AB" for minute in range(10)]
    chosen = busiest(rows, 8)
    assert [(found["symbol"], found["window_start"][14:16]) for found in chosen] == [
        (symbol, f"{minute:02}") for symbol in "AB" for minute in range(6, 10)
    ]


def test_no_rows_need_no_room() -> None:
    assert busiest([], 6) == []


def test_bars_that_are_not_provisional_any_more_are_told_by_window() -> None:
    before = answer(row("A", 1), row("B", 1), row("A", 2), row("A", 3, "closed"))
    now = answer(
        row("A", 1, "closed"), row("B", 1, "closed"), row("A", 2), row("A", 3, "closed"), row("A", 4, "closed")
    )
    assert list(settled(before, now)) == ["2 bars of 2024-08-08T23:01:00Z now closed"]


def test_nothing_has_settled_in_a_first_answer() -> None:
    assert list(settled(None, answer(row("A", 1, "closed")))) == []


def test_the_board_shows_parts_bars_and_news() -> None:
    console = Console(width=120, height=40, record=True, force_terminal=False)
    statuses = [Status("speed", "running", 4711, 65.0, 2), Status("deployments", "waiting", None, None, 0)]
    console.print(board(console, statuses, answer(row("A", 1, "closed")), ["12:00:00 speed has died"]))
    words = [line.split() for line in console.export_text().splitlines()]
    assert ["speed", "running", "4711", "1:05", "2"] in words
    assert ["deployments", "waiting"] in words
    assert ["A", "2024-08-08", "23:01", "1", "1", "1", "1", "1", "1", "closed"] in words
    assert ["12:00:00", "speed", "has", "died"] in words


def test_a_board_without_an_answer_says_so() -> None:
    console = Console(width=120, height=40, record=True)
    console.print(board(console, [], None, []))
    assert "No answer from serving yet." in console.export_text()
