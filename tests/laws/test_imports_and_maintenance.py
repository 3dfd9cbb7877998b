"""Laws 1, 3, 5 and 7 with files taken in beside the log and again, files joined and removed, and kills in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from import_maker import import_file, lines, take_in
from laws.commit_points import crash_after
from laws.market import NOT_TRADES, SOURCES, Market, Sending, sendings
from laws.parts import (
    SteppedWorker,
    check_accounts,
    check_rows,
    check_tables,
    cuts_up_to,
    everything_merged_soon,
    new_cycle,
    one_in,
    rows_of,
    run_cycle,
)
from memory_log import MemoryLog, Poll
from oracle import Oracle, OracleRecord
from vouched import given_of, vouching

import batch_layer.maintenance.compaction
import twofold.lake
from batch_layer.backfill.import_file import ImportFile
from batch_layer.cycle import BatchCycle
from batch_layer.maintenance import cleaning
from batch_layer.maintenance.maintenance import Maintenance
from serving.answer import answer
from serving.batch_side import load_batch_side
from serving.query import Query
from serving.receipts.remaking import MadeAgain
from serving.seam import Pair
from serving.state import State
from twofold.lake import Lake
from twofold.publication import GENESIS, Publication, Publications, found_lake
from twofold.views import VIEWS

NO_CRASH = 10_000
MINUTE_US = 60_000_000
LINES = [value for value in NOT_TRADES if value and b"\n" not in value]
"""What is no trade and can stand in a file of lines."""

POLL = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), max_size=3)
CRASH = st.one_of(st.just(NO_CRASH), st.integers(0, 12))


@dataclass(frozen=True)
class Turn:
    """What happens one after the other: records are sent, some are read, a file is taken in, a cycle runs, files go.

    Each may be killed after so many commits. Which `file` is one of three; `lines` are those that it has when it is
    first taken in.
    """

    sent: list[Sending] = field(default_factory=list)
    read: Poll = ()
    file: int | None = None
    lines: list[Sending] = field(default_factory=list)
    chunk: int = 1_000
    killed_import: int = NO_CRASH
    cycles: bool = True
    killed_cycle: int = NO_CRASH
    maintains: bool = False
    killed_maintenance: int = NO_CRASH
    retention_s: int = 0


TURNS = st.lists(
    st.builds(
        Turn,
        sent=st.lists(sendings(otherwise=True), max_size=8),
        read=POLL,
        file=st.sampled_from([None, 0, 1, 2]),
        lines=st.lists(sendings(otherwise=True), min_size=1, max_size=8),
        chunk=st.sampled_from([2, 5, 1_000]),
        killed_import=CRASH,
        cycles=st.sampled_from([True, True, False]),
        killed_cycle=CRASH,
        maintains=st.booleans(),
        killed_maintenance=CRASH,
        retention_s=st.sampled_from([0, 1_000_000]),
    ),
    min_size=3,
    max_size=6,
)


class Run:
    """A log, files, a lake and a speed worker; what is asked is compared with the oracle, and made again in the end."""

    def __init__(self, folder: str) -> None:
        self.market = Market()
        self._folder = Path(folder)
        self._lake = Lake(str(self._folder / "lake"))
        found_lake(self._lake)
        self._publications = Publications(self._lake)
        self._worker = SteppedWorker(self._lake, self.market.log)
        self._files: dict[int, tuple[ImportFile, datetime]] = {}
        self._imported: list[OracleRecord] = []
        self._answers: list[tuple[str, MadeAgain]] = []
        self._now = datetime.now(UTC)
        self._follow()

    def take(self, turn: Turn) -> None:
        """Let a turn happen, and look after each part of it."""
        self.market.send(turn.sent)
        self._worker.step(self._newest.sequence, turn.read)
        self._ask()
        if turn.file is not None:
            with crash_after(turn.killed_import):
                self._import(turn)
            self._follow()
        if turn.cycles:
            with crash_after(turn.killed_cycle):
                run_cycle(self._lake, self.market.log)
            self._follow()
        if turn.maintains:
            before = self._rows()
            with crash_after(turn.killed_maintenance):
                self._maintain(turn.retention_s)
            self._follow()
            assert self._rows() == before

    def end(self) -> None:
        """Take in all that is left, look at every table, and make every answer again."""
        for file, at in self._files.values():
            take_in(file, self._lake, self._new_cycle, clock=lambda at=at: at)
        run_cycle(self._lake, self.market.log)
        self._maintain(0)
        self._follow()
        self._worker.step_to_end(self._newest.sequence)
        self._ask()
        check_tables(self._lake, self._newest, self._oracle(), cuts_up_to(self._lake, self._newest.sequence))
        for file, at in self._files.values():
            assert take_in(file, self._lake, self._new_cycle, clock=lambda at=at: at) == []
        remaker = vouching(self._lake, self.market.log.open_reader, sources=SOURCES).remaker
        for token, given_then in self._answers:
            assert remaker.make_again(token) == given_then

    @property
    def _newest(self) -> Publication:
        return self._publications.newest()

    def _new_cycle(self) -> BatchCycle:
        return new_cycle(self._lake, self.market.log)

    def _import(self, turn: Turn) -> None:
        assert turn.file is not None
        if turn.file not in self._files:
            self._files[turn.file] = self._made(turn.file, turn.lines)
        file, at = self._files[turn.file]
        take_in(file, self._lake, self._new_cycle, turn.chunk, lambda: at)

    def _made(self, number: int, sent: Sequence[Sending]) -> tuple[ImportFile, datetime]:
        """A file of trades, the same that the log has under the same ids, or others, and rows that are none."""
        usable = [replace(each, source="simulator", marker=False, collected_late_ms=None) for each in sent]
        log, self.market.log = self.market.log, MemoryLog(("elsewhere/0",))
        self.market.send(replace(each, not_a_trade=None) for each in usable)
        values = [record.value for record in self.market.log.records]
        self.market.log = log
        rows = [values[0]]
        for each, value in zip(usable[1:], values[1:], strict=True):
            rows.append(value if each.not_a_trade is None else LINES[each.not_a_trade % len(LINES)])
        file = import_file(lines(self._folder / f"{number}.ndjson", *rows), "simulator", SOURCES)
        at_ms = self.market.now_ms
        self._imported += [
            OracleRecord(file.lane, offset, at_ms, None, value, (("source", b"simulator"),))
            for offset, value in enumerate(rows)
        ]
        return file, datetime.fromtimestamp(at_ms / 1000, UTC)

    def _maintain(self, retention_s: int) -> None:
        """Maintain as if two hours had passed since what was there before, so that its age holds up nothing."""
        job = Maintenance(self._lake, retention_s, lambda: self._now + timedelta(hours=2))
        job.clean(job.publish(job.compact()))
        self._check_versions_that_stay()

    def _check_versions_that_stay(self) -> None:
        """Every table can be read at every version that a publication within retention names."""
        newest = self._newest
        for sequence in range(newest.released + 1, newest.sequence + 1):
            for table, version in self._publications.at(sequence).tables.items():
                self._lake.scan(table, version).collect()

    def _follow(self) -> None:
        newest = self._newest
        self.batch = load_batch_side(self._lake, VIEWS, newest, None)
        if newest.sequence not in self._worker.held:
            self._worker.start(newest)
        self._ask()

    def _rows(self) -> list[object]:
        return [rows_of(view, 60, Pair(self.batch, mode="unused")) for view in VIEWS]

    def _oracle(self) -> Oracle:
        oracle = self.market.oracle()
        oracle.add(self._imported)
        return oracle

    def _ask(self) -> None:
        """Compare an answer with the oracle, and keep it with its token."""
        speed = self._worker.client.follow(self._newest.sequence, None, 0)
        oracle, cuts = self._oracle(), cuts_up_to(self._lake, self._newest.sequence)
        check_rows(self.batch, speed, oracle, cuts, (300,))
        check_rows(self.batch, None, oracle, cuts, (60,))
        check_accounts(self.batch, speed, oracle, cuts)
        if self._newest == GENESIS:
            return
        receipts = vouching(self._lake, sources=SOURCES)
        for pair in (Pair(self.batch, speed), Pair(self.batch, mode="unused")):
            query = Query(VIEWS["bars"], MINUTE_US)
            token = receipts.signer.sign(query, State.of(pair))
            self._answers.append((token, given_of(receipts, answer(query, pair))))


@settings(one_in(15))
@given(turns=TURNS)
def test_every_answer_is_the_oracles_and_can_be_made_again(turns: Sequence[Turn]) -> None:
    with (
        TemporaryDirectory() as folder,
        everything_merged_soon(),
        patch.object(batch_layer.maintenance.compaction, "FILES", 2),
        patch.object(cleaning, "MARGIN", timedelta(0)),
        patch.object(twofold.lake, "CHECKPOINT_EVERY", 3),
    ):
        run = Run(folder)
        for turn in turns:
            run.take(turn)
        run.end()
