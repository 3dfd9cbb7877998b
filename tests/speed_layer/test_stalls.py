"""Stalls: a lane that does not move though the log has more of it is said once, and again when it stalls again."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from speed_layer.stalls import STALL_S, Stalls

ENDS = {"t/0": 5, "t/1": 5}


class Clock:
    """A clock that is set."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stalls(clock: Clock) -> Iterator[Stalls]:
    stalls = Stalls(clock)
    stalls.look({"t/0": 1, "t/1": 1}, ENDS)
    clock.now_s += STALL_S / 2
    stalls.look({"t/0": 1, "t/1": 2}, ENDS)
    clock.now_s += STALL_S * 0.6
    return stalls


def test_a_lane_that_does_not_move_stalls_while_others_do(stalls: Stalls, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        stalls.look({"t/0": 1, "t/1": 2}, ENDS)
    assert stalls.lanes == {"t/0"}
    (warning,) = caplog.messages
    assert "Nothing has come of lane t/0 for 10 s, though the log goes from 1 on to 5" in warning


def test_when_it_moves_it_is_no_longer_stalled_and_may_stall_again(
    stalls: Stalls, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        stalls.look({"t/0": 1, "t/1": 5}, ENDS)
        stalls.look({"t/0": 2, "t/1": 5}, ENDS)
        assert stalls.lanes == frozenset()
        clock.now_s += STALL_S + 1
        stalls.look({"t/0": 2, "t/1": 5}, ENDS)
    assert stalls.lanes == {"t/0"}
    assert len(caplog.messages) == 2


def test_a_lane_at_its_end_never_stalls_and_its_time_begins_when_more_comes(stalls: Stalls, clock: Clock) -> None:
    at_end = {"t/0": 5, "t/1": 5}
    stalls.look(at_end, ENDS)
    clock.now_s += 1_000
    stalls.look(at_end, ENDS)
    stalls.look(at_end, {"t/0": 6, "t/1": 5})
    assert stalls.lanes == frozenset()


def test_time_in_which_nothing_was_to_be_read_does_not_count(stalls: Stalls) -> None:
    stalls.start_over()
    stalls.look({"t/0": 1, "t/1": 1}, ENDS)
    assert stalls.lanes == frozenset()
