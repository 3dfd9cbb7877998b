"""What is shown while messages are sent."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from twofold.sources.progress import SendingProgress


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def now(self) -> float:
        return self.now_s


def test_a_log_gets_a_plain_line_every_five_seconds_and_a_closing_one() -> None:
    clock, shown, done = Clock(), io.StringIO(), [0.0]
    with SendingProgress("Replay of [x].txt", 1000, Console(file=shown), lambda: done[0], now=clock.now) as progress:
        for second in range(1, 11):
            clock.now_s, done[0] = float(second), second * 50.0
            for _ in range(100):
                progress.sent(lag_s=second / 2)
    assert shown.getvalue().splitlines() == [
        "Replay of [x].txt: 25%, 401 sent, 80 trades/s, 2.5 s behind",
        "Replay of [x].txt: 50%, 901 sent, 100 trades/s, 5.0 s behind",
        "Replay of [x].txt: 1,000 sent in 10.0 s (100 trades/s).",
    ]


def test_a_market_without_end_shows_no_share() -> None:
    clock, shown = Clock(), io.StringIO()
    with SendingProgress("Market", None, Console(file=shown), now=clock.now) as progress:
        clock.now_s = 5.0
        progress.sent(lag_s=0.0)
    assert shown.getvalue().splitlines()[0] == "Market: 1 sent, 0 trades/s, 0.0 s behind"


def test_a_terminal_gets_a_bar_with_rate_and_lag_that_goes_away() -> None:
    clock, shown = Clock(), io.StringIO()
    console = Console(file=shown, force_terminal=True, width=120)
    with SendingProgress("Market", 10, console, now=clock.now) as progress:
        clock.now_s = 1.0
        progress.sent(lag_s=0.3)
        progress._bar.refresh()
    assert "1 sent, 1 trades/s, 0.3 s behind" in shown.getvalue()
    assert shown.getvalue().endswith("Market: 1 sent in 1.0 s (1 trades/s).\n")


@pytest.mark.parametrize("terminal", [False, True])
def test_nothing_sent_is_said_too(*, terminal: bool) -> None:
    shown = io.StringIO()
    with SendingProgress("Market", None, Console(file=shown, force_terminal=terminal), now=Clock().now):
        pass
    assert "Market: 0 sent in 0.0 s" in shown.getvalue()
