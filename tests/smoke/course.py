"""The course of a smoke run: wait, ask while the capture is replayed, and ask until everything is published."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from capture import CaptureFacts
from questions import INTERVALS, VIEWS, Asker, Instant, Question, questions
from running import Running

READY_WITHIN_S = 90.0
PUBLISHED_WITHIN_S = 90.0
SEED = 1


@dataclass(frozen=True)
class Course:
    """What a run has seen.

    Attributes:
        instants: every answer, in order.
        final: the last answers, to questions for all there is, with everything published.
        publications_meanwhile: how many publications were seen before the replay had ended.
        lanes: what the API says became of every record in the end, per lane.
    """

    instants: list[Instant]
    final: list[Instant]
    publications_meanwhile: int
    lanes: list[dict[str, int | str | bool]]


def run_course(
    running: Running, facts: CaptureFacts, replay_s: float, every_s: float, tell: Callable[[str], None]
) -> Course:
    """Ask a running Twofold about the capture that it replays in `replay_s` seconds, once in `every_s` seconds.

    Raises:
        RuntimeError: it ended by itself, or something did not happen in time.
    """
    asker = Asker(running.serving_url)
    try:
        running.wait_until("the first answer", asker.is_ready, READY_WITHIN_S)
        tell(f"Ready {asker.elapsed_s:.1f} s after the start.")
        asking = _Asking(asker, questions(facts, SEED), every_s, tell)
        running.wait_until(
            "the end of the replay", lambda: asking.next().records >= facts.records, 2 * replay_s + READY_WITHIN_S
        )
        meanwhile = asking.publications_seen
        tell(f"The replay has ended after {asker.elapsed_s:.1f} s.")
        running.wait_until("the last publication", lambda: _is_published(asking.next()), PUBLISHED_WITHIN_S)
        tell(f"Everything is published after {asker.elapsed_s:.1f} s.")
        final = [asker.ask(Question(view, interval)) for view in VIEWS for interval in INTERVALS]
        return Course(asker.instants, final, meanwhile, asker.lanes())
    finally:
        asker.close()


class _Asking:
    """Asks one question after the other, at a steady pace, about symbols that have been heard of."""

    def __init__(self, asker: Asker, asked: Iterator[Question], every_s: float, tell: Callable[[str], None]) -> None:
        self._asker = asker
        self._questions = asked
        self._every_s = every_s
        self._tell = tell
        self._heard_of: set[str | None] = {None}
        self._due_s = 0.0
        self._sequence = 0
        self.publications_seen = 0

    def next(self) -> Instant:
        """Ask the next question when it is due."""
        time.sleep(max(0.0, self._due_s - self._asker.elapsed_s))
        self._due_s = self._asker.elapsed_s + self._every_s
        question = next(self._questions)
        if question.symbol not in self._heard_of:
            question = replace(question, symbol=None)
        instant = self._asker.ask(question)
        if instant.body:
            self._heard_of.update(row["symbol"] for row in instant.body["rows"])
            self._note_publication(instant)
        return instant

    def _note_publication(self, instant: Instant) -> None:
        sequence = instant.receipt["sequence"]
        if sequence > self._sequence:
            self._sequence = sequence
            self.publications_seen += 1
            cut = sum(instant.receipt["cut"].values())
            self._tell(f"{instant.at_s:6.1f} s  publication {sequence}: {cut:,} records below the cut")


def _is_published(instant: Instant) -> bool:
    return bool(instant.body) and instant.receipt["cut"] == instant.receipt["positions"]
