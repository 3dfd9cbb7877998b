"""How a schedule is kept, with a clock that only moves when it is slept on."""

from __future__ import annotations

import pytest

from twofold.errors import SettingsError
from twofold.sources.pacing import Pace, parse_speed


class Clock:
    """Time that passes by sleeping, and by `pass_s` where a test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept_s: list[float] = []

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


def pace_on(clock: Clock, speed: float | None, *, stopped: bool = False) -> Pace:
    return Pace(speed, lambda: stopped, now=clock.now, sleep=clock.sleep)


def test_ten_times_as_fast_takes_a_tenth_of_the_time() -> None:
    clock = Clock()
    pace = pace_on(clock, 10.0)
    assert all(pace.wait_until(due_s) for due_s in (0.0, 10.0, 30.0))
    assert clock.now_s == pytest.approx(1003.0)
    assert pace.lag_s == 0.0


def test_max_never_waits_and_is_never_behind() -> None:
    clock = Clock()
    pace = pace_on(clock, None)
    assert all(pace.wait_until(due_s) for due_s in (0.0, 10.0, 5000.0))
    assert (clock.slept_s, pace.lag_s) == ([], 0.0)


def test_the_schedule_starts_with_its_first_moment_whatever_that_is() -> None:
    clock = Clock()
    pace = pace_on(clock, 1.0)
    pace.wait_until(7.0)
    assert clock.slept_s == []
    pace.wait_until(8.0)
    assert clock.now_s == pytest.approx(1001.0)


def test_the_lag_is_measured_against_the_schedule_and_is_caught_up() -> None:
    clock = Clock()
    pace = pace_on(clock, 1.0)
    pace.wait_until(0.0)
    clock.now_s += 3.0
    pace.wait_until(1.0)
    assert pace.lag_s == pytest.approx(2.0)
    pace.wait_until(2.0)
    assert pace.lag_s == pytest.approx(1.0)
    pace.wait_until(5.0)
    assert pace.lag_s == 0.0
    assert clock.now_s == pytest.approx(1005.0)


def test_a_wish_to_stop_is_heard_during_a_long_wait() -> None:
    clock = Clock()
    pace = Pace(1.0, lambda: clock.now_s >= 1001.0, now=clock.now, sleep=clock.sleep)
    assert pace.wait_until(0.0)
    assert not pace.wait_until(3600.0)
    assert clock.now_s < 1002.0


@pytest.mark.parametrize("speed", [None, 1.0])
def test_nothing_is_due_once_stopped(speed: float | None) -> None:
    assert not pace_on(Clock(), speed, stopped=True).wait_until(0.0)


@pytest.mark.parametrize(("text", "speed"), [("max", None), ("10", 10.0), ("0.5", 0.5)])
def test_a_speed_is_a_number_or_max(text: str, speed: float | None) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "fast", ""])
def test_any_other_speed_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(SettingsError, match="Try --speed 10"):
        parse_speed(text)
