"""The referee: comes to rest after each action, and compares all that was said meanwhile with what is expected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
from smoke.questions import Instant

from conformance.expected import Expected
from conformance.publications import Published, read_publications
from conformance.report import Report
from conformance.system import System
from conformance.topic import Topic
from conformance.watch import NotInTime, Watch

BOUND_S = 90.0
"""Within this an answer is exact and fresh again, whatever was done."""

_TRIES = 20


class Broken(Exception):
    """Something is not as it must be."""


class Referee:
    """Knows what is expected of one seed's system.

    Attributes:
        serving_was_away: whether a question may have found nobody since the last judgement.
    """

    def __init__(self, topic: Topic, system: System, watch: Watch, report: Report) -> None:
        self.serving_was_away = True
        self._expected = Expected()
        self._topic = topic
        self._system = system
        self._watch = watch
        self._report = report
        self._late: list[Instant] = []
        self._wrong: list[str] = []

    @property
    def newest(self) -> Published:
        """The newest publication that there is."""
        self.note_publications()
        return self._expected.newest

    def note_records(self) -> None:
        """See what has been logged, and from where on it can be read."""
        records = self._topic.read_on()
        self._report.records += len(records)
        self._expected.note_records(records, self._topic.ends())
        self._expected.note_beginnings(self._topic.beginnings())

    def note_publications(self) -> None:
        """See what has been published."""
        found = read_publications(self._system.lake, self._expected.sequence)
        if found:
            self.note_records()  # What they say of the log is of no later time than this.
        self._report.publications += len(found)
        self._wrong += self._expected.note_publications(found)

    def note_unpublished(self) -> None:
        """A batch cycle has read, and may not have published."""
        self.note_records()
        self._expected.note_kept(self._topic.ends())

    def note_passed(self, lane: str, stood_at: int, begins: int) -> None:
        """Retention has passed a speed worker that stood still there."""
        self._expected.note_passed(lane, stood_at, begins)

    def note_late(self, instant: Instant) -> None:
        """An answer was read long after it was given."""
        self._late.append(instant)

    def settle(self) -> float:
        """Wait until an answer is exact and fresh, and return when it came; Unix time.

        Raises:
            NotInTime: none was.
        """
        self.note_records()
        ends, newest = self._topic.ends(), len(read_publications(self._system.lake))

        def is_fresh(instant: Instant) -> bool:
            positions = instant.receipt["positions"]
            return (
                instant.receipt["sequence"] >= newest
                and all(positions.get(lane, 0) >= offset for lane, offset in ends.items())
                and instant.body["freshness"]["speed"] == "live"
            )

        return self._watch.wait_for(is_fresh, BOUND_S)

    def judge(self) -> None:
        """Come to rest, and judge all that has been said since the last time.

        Raises:
            Broken: something is not as it must be.
        """
        found = []
        try:
            self.settle()
            lanes, instants, gaps = self._at_rest()
        except (NotInTime, httpx.HTTPError) as late:
            self.note_records()
            found.append(str(late))
        self.note_publications()
        found += [*self._wrong, *self._seen()]
        self._wrong.clear()
        if not found:
            found += self._wrong_at_rest(lanes, instants, gaps)
        parts = self._system.parts.items()
        found += [f"{name} ended by itself:\n{part.words}" for name, part in parts if not part.runs]
        if found:
            raise Broken("\n".join(found))

    def _at_rest(self) -> tuple[dict[str, Any], list[Instant], dict[str, Any]]:
        """Fates by lane, answers and gaps, all of one and the same state."""
        for _ in range(_TRIES):
            lanes = self._watch.look("/v1/lanes")
            instants, gaps = self._watch.everything(), self._watch.look("/v1/gaps")
            if lanes == self._watch.look("/v1/lanes"):
                break
        return lanes, instants, gaps

    def _wrong_at_rest(self, lanes: dict[str, Any], instants: Sequence[Instant], gaps: dict[str, Any]) -> list[str]:
        found = self._expected.judge_settled(lanes, [instant for instant in instants if instant.body])
        found += [f"{instant.question} was answered {instant.problem}" for instant in instants if not instant.body]
        return [f"at rest, {what}" for what in [*found, *self._expected.judge_gaps(gaps)]]

    def _seen(self) -> list[str]:
        """What is wrong with all that has been said since the last look."""
        seen = self._watch.take()
        found = []
        for instant in seen.instants:
            if instant.body:
                self._report.answers += 1
                found += [f"{_told(instant)}: {what}" for what in self._expected.judge(instant)]
            else:
                self._report.refusals += 1
                found += [] if self._may_be(instant.problem) else [f"{instant.question} was answered {instant.problem}"]
        for instant in self._late:
            found += [f"{_told(instant)}, read slowly: {what}" for what in self._expected.judge_late(instant)]
        self._late.clear()
        self.serving_was_away = False
        return found + [what for lanes in seen.lanes for what in self._expected.judge_lanes(lanes)]

    def _may_be(self, problem: str) -> bool:
        return problem.startswith("503 ") or (self.serving_was_away and not problem[:1].isdigit())


def _told(instant: Instant) -> str:
    """An answer in few words: the question, the publication, and the positions by partition."""
    receipt = instant.receipt
    positions = {lane.rpartition("/")[2]: offset for lane, offset in receipt["positions"].items()}
    return f"{instant.question} of publication {receipt['sequence']} at {positions}"
