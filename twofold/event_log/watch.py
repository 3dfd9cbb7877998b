"""The watch: looks at the topic every few seconds, beside the reading."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from twofold.errors import TwofoldError
from twofold.event_log.brokers import administer
from twofold.event_log.security import PLAIN, Security
from twofold.event_log.topic import Topic, describe_topic, look_up

LOOK_EVERY_S = 4.0

_BREATH_S = 0.1


class TopicWatch:
    """Knows the newest state of a topic without making anyone wait; for use as a context manager.

    The client library refetches its own metadata, but does not say when a topic was made anew under its name, and a
    poll that finds no broker just returns nothing.

    Raises:
        TopicMissing: there is no such topic.
        EventLogUnreachable: no broker answers.
        EventLogError: the broker refuses.
    """

    def __init__(self, brokers: str, topic: str, every_s: float = LOOK_EVERY_S, security: Security = PLAIN) -> None:
        self._brokers = brokers
        self._security = security
        self._name = topic
        self._every_s = every_s
        self._seen: Topic | TwofoldError = describe_topic(brokers, topic, security)
        self._stop = threading.Event()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch-{topic}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._hurry.set()
        self._thread.join()

    def hurry(self) -> None:
        """Look soon, and not only when it is time again."""
        self._hurry.set()

    def newest(self) -> Topic:
        """The topic as it was last seen.

        Raises:
            TopicMissing: it is gone.
            EventLogUnreachable: no broker answered the last look.
            EventLogError: the broker refused.
        """
        if isinstance(self._seen, TwofoldError):
            raise self._seen.with_traceback(None)  # or each time would add to it
        return self._seen

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._look_on()
            except TwofoldError as error:
                self._seen = error
                self._pause()

    def _look_on(self) -> None:
        with administer(self._brokers, self._security) as client:
            while not self._pause():
                self._seen = look_up(client, self._brokers, self._name)

    def _pause(self) -> bool:
        """Wait until it is time to look again; whether there is no more to look for."""
        if not self._stop.wait(_BREATH_S):
            self._hurry.wait(self._every_s - _BREATH_S)
            self._hurry.clear()
        return self._stop.is_set()
