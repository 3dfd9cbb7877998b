"""The sending of a schedule to the event log, from the wait for a broker to the last acknowledgement."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rich.console import Console

from twofold.settings import Settings
from twofold.sources.feed import feed
from twofold.sources.interruption import Interruption
from twofold.sources.message import Scheduled
from twofold.sources.pacing import Pace
from twofold.sources.progress import SendingProgress
from twofold.sources.writer import TradeWriter, wait_for_topic


def send(
    schedule: Iterable[Scheduled],
    settings: Settings,
    *,
    title: str,
    speed: float | None,
    total: float | None,
    done: Callable[[], float] | None = None,
) -> None:
    """Send a schedule until its end or a signal, and show the progress on standard error.

    Args:
        schedule: the messages in the order in which they are due.
        settings: where the event log is.
        title: what is sent, for a person.
        speed: how many times as fast as scheduled; None is as quick as possible.
        total: what `done` counts up to; None when there is no end to count up to.
        done: says how far the sending is; without it, messages are counted.

    Raises:
        EventLogUnreachable: no broker answered in time, at the start or on the way.
        EventLogError: the broker refused a message.
    """
    console = Console(stderr=True)
    security = settings.kafka
    wait_for_topic(settings.brokers, settings.topic, settings.partitions, tell=console.print, security=security)
    with (
        Interruption() as interruption,
        SendingProgress(title, total, console, done) as progress,
        TradeWriter(settings.brokers, settings.topic, security) as writer,
    ):
        feed(schedule, Pace(speed, interruption.requested), writer.write, progress.sent)
