"""The feed: a schedule of messages, each sent when it is due."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twofold.sources.message import Message, Scheduled
from twofold.sources.pacing import Pace


def feed(
    schedule: Iterable[Scheduled],
    pace: Pace,
    write: Callable[[Message], None],
    sent: Callable[[float], None],
) -> None:
    """Send every message of a schedule at its time, until its end or until the pace is told to stop.

    Args:
        schedule: the messages in the order in which they are due.
        pace: says when that is.
        write: takes a message.
        sent: called after each, with how far behind the schedule it was, in seconds.
    """
    for due_s, message in schedule:
        if not pace.wait_until(due_s):
            return
        write(message)
        sent(pace.lag_s)
