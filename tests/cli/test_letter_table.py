from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from twofold.cli.letter_table import counts_line, letter_lines, letter_table, plan_lines, printable

TOPICS = ("3c1f4f0e-5a57-4d7e-9d0c-0f6d2a9b7c11", "3c1f4f0e-6000-4d7e-9d0c-0f6d2a9b7c11")
LETTER: dict[str, Any] = {
    "lane": f"{TOPICS[0]}/2",
    "offset": 17,
    "logged_at": datetime(2024, 8, 9, 10, 0, 1, 5_000, tzinfo=UTC),
    "source": "simulator",
    "reason": "broken_json",
    "detail": "The value `{` is not one JSON text.",
    "venue": None,
    "symbol": None,
    "trade_id": None,
    "trade_key": None,
}
WHOLE = LETTER | {"key": b"BTCUSDT", "value": b"{", "headers": [], "first_at": f"{TOPICS[0]}/2:17"}


def table(*letters: dict[str, Any]) -> str:
    console = Console(width=140, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(letter_table(letters))
    return capture.get()


def shown(letter: dict[str, Any], *retries: dict[str, Any]) -> dict[str, str]:
    return {line[:11].rstrip(): line[11:] for line in letter_lines(letter, retries)}


def test_a_row_has_the_lane_as_short_as_it_may_be() -> None:
    assert " 3c1f4f0e/2 " in table(LETTER)
    both = table(LETTER, LETTER | {"lane": f"{TOPICS[1]}/0"})
    assert " 3c1f4f0e-5/2 " in both
    assert " 3c1f4f0e-6/0 " in both


def test_a_row_says_when_and_why() -> None:
    (row,) = [line for line in table(LETTER).splitlines() if "3c1f4f0e" in line]
    words = ["3c1f4f0e/2", "17", "2024-08-09", "10:00:01", "simulator", "broken_json"]
    assert row.split() == [*words, *LETTER["detail"].split()]


def test_what_a_producer_wrote_can_neither_steer_the_terminal_nor_mark_up_the_table() -> None:
    shown = table(LETTER | {"source": "\x1b[31mred[/] [bold]b[/bold]"})
    assert "\x1b" not in shown
    assert r"\x1b[31mred[/] [bold]b[/bold]" in " ".join(shown.split())


def test_no_letters_make_a_table_without_rows() -> None:
    assert "lane" in table()


@pytest.mark.parametrize(
    ("encoded", "text"),
    [
        (b'{"symbol": "BTCUSDT"}', '{"symbol": "BTCUSDT"}'),
        ("Zürich €".encode(), "Zürich €"),
        (b"a\nb\x00\x1b", r"a\nb\x00\x1b"),
        (b"\xff\xfe", r"\xff\xfe"),
        ("\u202e".encode(), r"\u202e"),
    ],
)
def test_bytes_are_text_where_they_print_and_else_escaped(encoded: bytes, text: str) -> None:
    assert printable(encoded) == text


def test_a_letter_is_shown_whole() -> None:
    letter = WHOLE | {"key": None, "value": b"", "headers": [{"key": "source", "value": b"x"}]}
    assert shown(letter) == {
        "lane": f"{TOPICS[0]}/2",
        "offset": "17",
        "logged at": "2024-08-09 10:00:01.005000 UTC",
        "source": "simulator",
        "reason": "broken_json - The value is not one JSON text.",
        "detail": "The value `{` is not one JSON text.",
        "key": "(none)",
        "value": "(0 bytes)",
        "header": "source = x",
        "retried": "no, going by what is published",
    }


def test_a_letter_says_which_trade_it_would_have_been_where_that_is_known() -> None:
    known = {"venue": "binance", "symbol": "BTCUSDT", "trade_id": 7, "trade_key": None}
    assert shown(WHOLE | known)["trade"] == "7 of BTCUSDT at binance"


def test_a_reason_of_another_version_is_shown_as_it_is() -> None:
    assert shown(WHOLE | {"reason": "unheard_of"})["reason"] == "unheard_of"


def test_a_letter_that_is_a_retry_says_of_what_and_what_became_of_the_others() -> None:
    retries = [
        {"lane": LETTER["lane"], "offset": 17, "fate": "refused"},
        {"lane": "t/0", "offset": 20, "fate": "folded"},
    ]
    lines = shown(WHOLE | {"first_at": "t/1:5"}, *retries)
    assert lines["first at"] == "t/1:5"
    assert lines["retried"] == "at t/0 20: folded"


def test_a_count_of_one_is_one_letter() -> None:
    assert counts_line({"tombstone": 1}) == "1 dead letter (1 tombstone)"
    assert counts_line({"tombstone": 1200, "bad_key": 1}) == "1,201 dead letters (1,200 tombstone, 1 bad_key)"


def test_a_plan_says_what_is_sent_and_what_is_left() -> None:
    assert list(plan_lines(2, 2, 1, {"tombstone": 3, "bad_key": 1})) == [
        "to send:        2",
        "sent before:    1",
        "still refused:  4 (3 tombstone, 1 bad_key)",
    ]
    assert list(plan_lines(1000, 50, 0, {})) == [
        "to send:        1,000 (above the newest 50)",
        "sent before:    0",
        "still refused:  0",
    ]
