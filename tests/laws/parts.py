"""The parts of Twofold in one process, moved by hand: batch cycles, speed folds, and what serving makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import polars as pl
from hypothesis import Phase, settings
from laws.market import HOLE_AGE_S, SOURCES
from memory_log import MemoryLog, MemoryReader, Poll
from oracle import Oracle, OracleAccount

import batch_layer.ledger
import batch_layer.partials
import serving.speed_side
import speed_layer.copies
import speed_layer.partial_log
from batch_layer.cycle import BatchCycle
from serving.answer import answer
from serving.batch_side import BatchSide
from serving.query import Query
from serving.seam import Pair
from serving.speed_side import SpeedClient, SpeedSide
from speed_layer.base import load_base
from speed_layer.base_fold import BaseFold
from speed_layer.reading import Reading
from speed_layer.worker import SpeedWorker
from twofold.account import Account, add_accounts
from twofold.errors import SpeedAway
from twofold.gap_log import gap_lives, gaps_at
from twofold.lake import Lake
from twofold.lane import ALL_LANES, Positions, Share, at_least, positions_from_json
from twofold.ledger import INTERVAL_SCHEMA, Ledger
from twofold.log_identity import LogIdentity
from twofold.publication import PUBLICATIONS, Publication
from twofold.records import RecordReader
from twofold.resuming import resume
from twofold.source import Source
from twofold.speed_state import ChangesRequest
from twofold.views import VIEWS

SOURCE = "simulator"


def one_in(number: int) -> settings:
    """A part of the examples that the profile asks for: for tests that write real tables in each of them.

    To make a failing one smaller takes many times as long as the test; only `--hypothesis-profile=thorough` does it.
    """
    profile = settings()
    phases = [phase for phase in profile.phases if phase is not Phase.shrink or not profile.derandomize]
    return settings(max_examples=max(1, profile.max_examples // number), phases=phases)


@contextmanager
def everything_merged_soon() -> Iterator[None]:
    """What is merged now and then is merged after few steps, so that short scripts get there."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(batch_layer.partials, "FILES_PER_DAY", 2))
        stack.enter_context(patch.object(batch_layer.ledger, "LEDGER_FILES", 2))
        stack.enter_context(patch.object(speed_layer.partial_log, "ENTRIES", 3))
        stack.enter_context(patch.object(speed_layer.partial_log, "_KEPT", 1))
        stack.enter_context(patch.object(speed_layer.copies, "RECENT", 2))
        stack.enter_context(patch.object(speed_layer.copies, "_FAN", 2))
        stack.enter_context(patch.object(serving.speed_side, "FRAMES", 2))
        yield


def new_cycle(lake: Lake, log: MemoryLog, polls: Sequence[Poll] = ()) -> BatchCycle:
    """A batch cycle over a log, which it reads in the pieces that `polls` say."""
    return BatchCycle(lake, lambda start: log.open_reader(start, polls), VIEWS, SOURCES, SOURCE, HOLE_AGE_S)


def run_cycle(
    lake: Lake, log: MemoryLog, *, max_records: int = 1_000_000, polls: Sequence[Poll] = (), tries: int = 1
) -> Publication:
    """A batch cycle; each stage that writes is tried so many times, as if the tries before the last had failed late."""
    cycle = new_cycle(lake, log, polls)
    intake = [cycle.ingest(max_records) for _ in range(tries)][-1]
    folded = [cycle.fold(intake) for _ in range(tries)][-1]
    return cycle.publish(intake, folded)


def cuts_up_to(lake: Lake, sequence: int) -> list[Positions]:
    """The cuts of all publications up to one of them, without what was gone back from."""
    rows = pl.read_delta(lake.address(PUBLICATIONS.name)).filter(pl.col("sequence") <= sequence).sort("sequence")
    cuts: list[Positions] = []
    for cut in map(positions_from_json, rows["cut"]):
        while cuts and not at_least(cut, cuts[-1]):
            cuts.pop()
        cuts.append(cut)
    return cuts


def new_fold(
    lake: Lake, publication: Publication, share: Share = ALL_LANES, sources: Mapping[str, Source] = SOURCES
) -> BaseFold:
    """A speed fold on the base that a publication gives, with nothing read yet."""
    base = load_base(lake, publication, sources)
    views = {name: edition.view for name, edition in publication.served(VIEWS).items()}
    return BaseFold(replace(base, cut=share.of(base.cut)), views, sources, SOURCE)


class SteppedWorker:
    """A speed worker whose readings go on by one micro-batch when they are told to, and a client that asks it."""

    def __init__(
        self, lake: Lake, log: MemoryLog, share: Share = ALL_LANES, sources: Mapping[str, Source] = SOURCES
    ) -> None:
        self._lake = lake
        self._log = log
        self._share = share
        self._sources = sources
        self._readers: dict[int, tuple[MemoryReader, RecordReader]] = {}
        self._worker = SpeedWorker(lake, log.open_reader, VIEWS, sources, SOURCE, 2**62, share)
        self.client = _DirectClient(self._worker, share)

    @property
    def held(self) -> list[int]:
        """The sequences whose bases are folded on."""
        return sorted(self._readers)

    def start(self, publication: Publication) -> None:
        """Start a fold on a publication's base, or start it anew."""
        fold = new_fold(self._lake, publication, self._share, self._sources)
        reading = Reading(fold, self._log.open_reader, lambda: False)
        reading.ready_at_s = 0.0
        self._worker._readings[publication.sequence] = reading
        self._readers[publication.sequence] = self._resumed(fold.base.cut, publication.log)

    def stop(self, sequence: int) -> None:
        """Let a base go."""
        del self._worker._readings[sequence], self._readers[sequence]

    def step(self, sequence: int, poll: Poll) -> None:
        """Read and fold one micro-batch."""
        told, reader = self._readers[sequence]
        told.tell(poll)
        self._worker._readings[sequence]._step(reader)

    def step_to_end(self, sequence: int) -> None:
        """Read and fold all that is in the log."""
        self.step(sequence, [(place, 2**62) for place in range(len(self._log.lanes))])

    def fold(self, sequence: int) -> BaseFold:
        """The fold on a base."""
        return self._worker._readings[sequence].fold

    def _resumed(self, cut: Positions, log: LogIdentity) -> tuple[MemoryReader, RecordReader]:
        """A reader that can be told its polls, and the same beside lanes that are closed."""
        opened: list[MemoryReader] = []

        def open_reader(start: Positions) -> MemoryReader:
            opened.append(self._log.open_reader(start, share=self._share))
            return opened[-1]

        reader = resume(open_reader, cut, log)
        return opened[0], reader


class _DirectClient(SpeedClient):
    """A client that calls the worker without a network in between."""

    def __init__(self, worker: SpeedWorker, share: Share) -> None:
        super().__init__("", share)
        self._worker = worker
        self.is_away = False

    def _call(self, request: ChangesRequest) -> list[bytes]:
        if self.is_away:
            raise SpeedAway("The worker has been killed.")
        return self._worker.changes(request)


def rows_of(view: str, interval_s: int, pair: Pair) -> list[dict[str, Any]]:
    """All rows of a view as the API gives them, without the columns' types."""
    return answer(Query(pair.batch.views[view], interval_s * 1_000_000), pair).json_rows()


def check_rows(
    batch: BatchSide,
    speed: SpeedSide | None,
    oracle: Oracle,
    cuts: Sequence[Positions],
    intervals_s: Iterable[int] = (60, 300),
) -> None:
    """Every row of every view is the oracle's, finality and revisions included."""
    pair = Pair(batch, speed)
    for view in VIEWS:
        for interval_s in intervals_s:
            assert rows_of(view, interval_s, pair) == oracle.rows(view, interval_s, pair.positions, cuts)


def check_tables(lake: Lake, publication: Publication, oracle: Oracle, cuts: Sequence[Positions]) -> None:
    """Every table, at the version that the publication names, holds what lies below the cut and nothing else."""
    cut = publication.cut
    below = sorted((r.lane, r.offset) for r in oracle.records if r.offset < cut.get(r.lane, 0))
    trades = oracle.trades(cut, cuts)
    counted = sorted((trade.lane, trade.offset) for trade in trades)
    usable = {(trade.lane, trade.offset) for trade in oracle.usable}
    conflicts = {(trade.lane, trade.offset) for trade in oracle.conflicts(cuts)}
    places = {name: _places(lake, name, publication) for name in ("raw", "trades", "dead_letters")}
    assert places == {
        "raw": below,
        "trades": counted,
        "dead_letters": [place for place in below if place not in usable or place in conflicts],
    }
    seen = Ledger(lake.scan("ledger", publication.tables["ledger"]).select(INTERVAL_SCHEMA.names()).collect()).frame
    gaps = lake.scan("gaps", publication.tables["gaps"]).collect()
    assert [dict_of_gap(gap) for gap in gaps.to_dicts()] == oracle.gaps(cuts)
    lives = gap_lives(lake.scan("gap_log", publication.tables["gap_log"]).collect())
    logged = gaps_at(lives, publication.sequence).sort("venue", "symbol", "first_id")
    opened = gaps.filter(pl.col("state") == "open").with_columns(pl.lit(None).alias(name) for name in ("since", "lane"))
    assert logged.rows() == opened.rows()
    ids = [(venue, symbol, i) for venue, symbol, a, b in seen.iter_rows() for i in range(a, b + 1)]
    assert ids == sorted((trade.venue, trade.symbol, trade.rank) for trade in trades)


def dict_of_gap(gap: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the table of gaps as the API gives it."""
    names = {"venue", "symbol", "first_id", "last_id", "state"}
    times = {name: gap[name] for name in ("first_event", "last_event", "since")}
    told = {name: time and time.isoformat().replace("+00:00", "Z") for name, time in times.items()}
    return {name: gap[name] for name in names} | told | {"ids": gap["last_id"] - gap["first_id"] + 1}


def _places(lake: Lake, table: str, publication: Publication) -> list[tuple[str, int]]:
    return sorted(lake.scan(table, publication.tables[table]).select("lane", "offset").collect().rows())


def check_accounts(batch: BatchSide, speed: SpeedSide | None, oracle: Oracle, cuts: Sequence[Positions]) -> None:
    """Every record is accounted for, lane by lane and fate by fate."""
    publication = batch.publication
    settled = {lane: account for lane, account in publication.accounts.items() if account.read}
    assert _counts(settled) == _counts(oracle.accounts(publication.cut, cuts))
    found = add_accounts(publication.accounts, speed.accounts if speed else {})
    assert all(account.balanced and account.lost == 0 for account in found.values())
    read = {lane: account for lane, account in found.items() if account.read}
    assert _counts(read) == _counts(oracle.accounts(Pair(batch, speed).positions, cuts))


def _counts(accounts: Mapping[str, Account] | Mapping[str, OracleAccount]) -> dict[str, tuple[int, int, int, int]]:
    return {lane: (a.read, a.folded, a.duplicates, a.dead_letters) for lane, a in accounts.items()}
