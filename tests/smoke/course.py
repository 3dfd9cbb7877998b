"""The course of a smoke run: wait, ask while the capture is replayed, and ask until everything is published."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from oracle import OracleRecord

from smoke.capture import CaptureFacts
from smoke.engines import Engines, commits_by_engine, runs_in_turns
from smoke.log import read_back
from smoke.questions import INTERVALS, VIEWS, Asker, Instant, Question, questions
from smoke.running import Running

FIRST_SHARE = 0.02
"""Part of the capture that is there from the start. The rest comes once that is published, with the batch side up."""

LIMIT_S = 180.0
"""Seconds that nothing takes, on any machine: the start, the replay, one publication."""

_SEED = 1


@dataclass(frozen=True)
class Course:
    """What a run has seen.

    Attributes:
        instants: every answer, in order.
        final: the last answers, to questions for all there is, with everything published; the first one is of `bars`.
        publications: how many publications were seen during the replay.
        lanes: what the API says became of every record in the end, per lane.
        records: the log, read back in the end.
        failed: runs that were started here and failed.
        commits: to `trades`, by engine.
        left_behind: processes that had to be killed in the end.
    """

    instants: list[Instant]
    final: list[Instant]
    publications: int
    lanes: list[dict[str, Any]]
    records: list[OracleRecord]
    failed: list[str]
    commits: Counter[str]
    left_behind: list[str]


def run_course(
    facts: CaptureFacts,
    folder: Path,
    *,
    system: type[Running],
    engines: Engines,
    every_s: float,
    tell: Callable[[str], None],
) -> Course:
    """Run a system in `folder`, replay the capture, and ask once in `every_s` seconds, while the engines do cycles.

    Raises:
        RuntimeError: a process failed, or something did not happen in time.
    """
    first, rest = _written(facts, folder)
    with (
        system(folder, first, engines.environment) as running,
        Asker(running.serving_url) as asker,
        runs_in_turns(running.prefect_url, engines.in_turns) as failed,
    ):
        running.wait_until("The first answer", asker.is_ready, LIMIT_S)
        tell(f"{asker.elapsed_s:6.1f} s  answers are ready")
        asking = _Asking(asker, facts, every_s, tell)
        running.wait_until("The first publication", lambda: bool(asking.next() and asking.sequence), LIMIT_S)
        before = asking.sequence
        tell(f"{asker.elapsed_s:6.1f} s  the replay begins")
        running.replay(rest, facts.span_s / engines.replay_s)
        running.wait_until("The end of the replay", lambda: asking.next().records >= facts.records, LIMIT_S)
        meanwhile = asking.sequence - before
        tell(f"{asker.elapsed_s:6.1f} s  the replay has ended")
        running.wait_until("The last publication", lambda: _is_published(asking.next()), LIMIT_S)
        final = [asker.ask(Question(view, interval)) for view in VIEWS for interval in INTERVALS]
        lanes, records = asker.lanes(), read_back(running.brokers, running.topic)
    commits = commits_by_engine(folder / "data" / "lake")
    return Course(asker.instants, final, meanwhile, lanes, records, failed, commits, running.left_behind)


def _written(facts: CaptureFacts, folder: Path) -> Iterator[Path]:
    for number, lines in enumerate(facts.parted(FIRST_SHARE)):
        path = folder / f"part-{number}.txt"
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        yield path


class _Asking:
    """Asks one question after the other, at a steady pace, about symbols that have been heard of."""

    def __init__(self, asker: Asker, facts: CaptureFacts, every_s: float, tell: Callable[[str], None]) -> None:
        self._asker = asker
        self._questions = questions(facts.symbols, facts.events_ms, _SEED)
        self._every_s = every_s
        self._tell = tell
        self._heard_of: set[str | None] = {None}
        self._due_s = 0.0
        self.sequence = 0
        """Of the newest publication that was seen."""

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
            if instant.receipt["sequence"] > self.sequence:
                self.sequence = instant.receipt["sequence"]
                cut = sum(instant.receipt["cut"].values())
                self._tell(f"{instant.at_s:6.1f} s  publication {self.sequence}, {cut:,} records below its cut")
        return instant


def _is_published(instant: Instant) -> bool:
    return bool(instant.body) and instant.receipt["cut"] == instant.receipt["positions"]
