import pytest
from rich.console import Console

from twofold.cli.view_table import view_table

ROW = {"symbol": "BTCUSDT", "window_start": "2024-08-08T23:54:30Z", "window_end": "", "close": "100.50", "finality": ""}
YELLOW, GREEN, MAGENTA = "\x1b[33m", "\x1b[32m", "\x1b[35m"


def printed(**changes: object) -> str:
    console = Console(width=120, force_terminal=True, color_system="standard")
    with console.capture() as capture:
        console.print(view_table([ROW | changes]))
    return capture.get()


@pytest.mark.parametrize(
    ("finality", "colour"), [("provisional", YELLOW), ("closed", GREEN), ("revised", MAGENTA), ("unheard of", "")]
)
def test_finality_has_its_colour(finality: str, colour: str) -> None:
    assert f"{colour}{finality}" in printed(finality=finality)


def test_seconds_are_shown_where_there_are_some() -> None:
    assert "2024-08-08 23:54:30" in printed()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("100.50000000", " 100.5 "),
        ("100.00000000", " 100 "),
        ("1000000.00000000", " 1000000 "),
        ("0.00000001", " 0.00000001 "),
        ("-0.25", " -0.25 "),
        ("not.a.number", " not.a.number "),
        (12, " 12 "),
        (None, "  "),
    ],
)
def test_numbers_lose_zeros_and_nothing_else(value: object, shown: str) -> None:
    assert shown in printed(close=value)


def test_no_rows_make_an_empty_table() -> None:
    assert not view_table([]).columns
