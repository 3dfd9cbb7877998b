"""Rates: a caller may make so many requests at once, and so many a second from then on."""

from __future__ import annotations

import pytest

from serving.access import rates as module
from serving.access.rates import Rates


class Watch:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 100_000.0

    def __call__(self) -> float:
        return self.seconds


def test_a_burst_is_let_through_and_then_one_request_for_each_that_the_rate_gives_back() -> None:
    watch = Watch()
    rates = Rates(10, watch)
    assert [rates.wait_s("me") for _ in range(20)] == [0.0] * 20
    assert rates.wait_s("me") == pytest.approx(0.1)
    watch.seconds += 0.25
    assert [rates.wait_s("me") == 0.0 for _ in range(3)] == [True, True, False]
    watch.seconds += 3600
    assert [rates.wait_s("me") == 0.0 for _ in range(21)] == [True] * 20 + [False]


def test_a_request_that_is_refused_costs_nothing() -> None:
    watch = Watch()
    rates = Rates(1, watch)
    assert [rates.wait_s("me") == 0.0 for _ in range(50)] == [True, True] + [False] * 48
    watch.seconds += 1
    assert rates.wait_s("me") == 0.0


def test_callers_do_not_take_from_each_other() -> None:
    rates = Rates(0.5, Watch())
    assert rates.wait_s("me") == 0.0
    assert rates.wait_s("me") > 0
    assert rates.wait_s("you") == 0.0


def test_many_callers_take_no_memory_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CALLERS", 100)
    rates = Rates(0.5, Watch())
    for number in range(10_000):
        assert rates.wait_s(f"10.0.{number >> 8}.{number & 255}") == 0.0
    assert len(rates._full_at_s) == 100
    assert rates.wait_s("10.0.39.15") > 0


def test_a_refusal_says_when_to_come_back_and_what_the_bound_is() -> None:
    rates = Rates(10, Watch())
    assert rates.headers(0.02) == {
        "Retry-After": "1",
        "RateLimit-Policy": '"requests";q=20;w=2',
        "RateLimit": '"requests";r=0;t=1',
    }
    assert rates.headers(2.5)["Retry-After"] == "3"
