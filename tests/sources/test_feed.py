"""That each message is sent at its time, until the end or a stop."""

from __future__ import annotations

from twofold.sources.feed import feed
from twofold.sources.message import Message, Scheduled
from twofold.sources.pacing import Pace


def test_messages_are_sent_in_order_each_when_it_is_due() -> None:
    time_s = [0.0]
    sent: list[tuple[float, Message]] = []
    schedule = [Scheduled(due_s, Message(b"A", str(due_s).encode(), [])) for due_s in (0.0, 1.0, 1.0, 4.0)]

    def sleep(seconds: float) -> None:
        time_s[0] += seconds

    lags: list[float] = []
    pace = Pace(2.0, lambda: False, now=lambda: time_s[0], sleep=sleep)
    feed(schedule, pace, lambda message: sent.append((round(time_s[0], 6), message)), lags.append)
    assert sent == [(due_s / 2, message) for due_s, message in schedule]
    assert lags == [0.0] * 4


def test_a_stop_ends_the_feed_between_two_messages() -> None:
    sent: list[Message] = []
    schedule = (Scheduled(0.0, Message(None, b"x", [])) for _ in iter(int, 1))
    feed(schedule, Pace(None, lambda: len(sent) == 3), sent.append, lambda _: None)
    assert len(sent) == 3
