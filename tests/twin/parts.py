"""The parts of Twofold as the twin moves them: batch cycles, a speed worker and serving, in one thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from unittest.mock import patch

import polars as pl
from at_once import AtOnce
from laws.commit_points import Crash, Moment, at_commit
from laws.market import SOURCES as MARKET_SOURCES
from laws.market import Market
from memory_log import MemoryLog, MemoryReader, Poll
from twin.expected import HOLE_AGE_S, HORIZON_S

import serving.speed_replicas
import serving.speed_side
import serving.state
import speed_layer.reading
import speed_layer.worker
from batch_layer.cycle import BatchCycle
from serving.seam import Seam
from serving.speed_replicas import SpeedReplicas
from serving.speed_side import SpeedClient
from serving.speed_workers import SpeedWorkers
from speed_layer.reading import Reading
from speed_layer.worker import SpeedWorker
from twofold.clock import from_epoch_us
from twofold.errors import SpeedAway
from twofold.lake import Lake
from twofold.lane import ALL_LANES, Positions, Share
from twofold.publication import PUBLICATIONS, Publication
from twofold.records import Lost
from twofold.source import SHIPPED_SOURCES
from twofold.speed_state import ChangesRequest
from twofold.tables import DEAD_LETTERS, GAP_LOG, GAPS, LEDGER, RAW, TRADES, view_table
from twofold.views import bars

VIEWS = {bars.name: bars}
SOURCES = {
    "binance-spot": SHIPPED_SOURCES["binance-spot"],
    "simulator": SHIPPED_SOURCES["simulator"].model_copy(update={"ids": "unique"}),
    "keyed": MARKET_SOURCES["keyed"].model_copy(update={"horizon_s": HORIZON_S}),
}
SOURCE = "simulator"

TABLES = tuple(spec.name for spec in (RAW, LEDGER, GAPS, GAP_LOG, TRADES, DEAD_LETTERS, view_table(bars), PUBLICATIONS))
"""The tables that a cycle commits to, in that order."""

ROOMY_BYTES = 2**62


@contextmanager
def clocked(market: Market) -> Iterator[None]:
    """Every part goes by the market's clock, and a speed worker's readings go on only when they are told to."""

    def now_s() -> float:
        return market.now_ms / 1000

    with ExitStack() as stack:
        live = (speed_layer.worker, speed_layer.reading, serving.speed_side, serving.speed_replicas)
        for module in (*live, serving.state):
            stack.enter_context(patch.object(module, "monotonic", now_s))
        stack.enter_context(patch.object(speed_layer.worker, "Reading", SteppedReading))
        yield


@contextmanager
def killed(moment: Moment, table: str) -> Iterator[None]:
    """Whoever commits to a table ends there, as a killed process ends; with no commit to it nothing happens."""

    def crash(_: str) -> None:
        raise Crash(table)

    with at_commit(moment, table, crash):
        try:
            yield
        except Crash:
            return


@dataclass
class Attempt:
    """A batch cycle, known by the time that its publication would bear."""

    time: datetime
    parent: int | None = None
    reader: MemoryReader | None = None


class Cycles:
    """Runs batch cycles and remembers them."""

    def __init__(self, lake: Lake, log: MemoryLog) -> None:
        self.attempts: dict[datetime, Attempt] = {}
        self._lake = lake
        self._log = log

    def run(self, max_records: int) -> None:
        """Run a cycle to its end."""
        attempt = Attempt(from_epoch_us((len(self.attempts) + 1) * 1_000_000))
        self.attempts[attempt.time] = attempt

        def open_reader(start: Positions) -> MemoryReader:
            attempt.reader = self._log.open_reader(start)
            return attempt.reader

        cycle = BatchCycle(self._lake, open_reader, VIEWS, SOURCES, SOURCE, HOLE_AGE_S, lambda: attempt.time)
        attempt.parent = cycle.parent.sequence
        intake = cycle.ingest(max_records)
        cycle.publish(intake, cycle.fold(intake))


class SteppedReading(Reading):
    """A reading that goes on by one micro-batch when it is told to."""

    reader: MemoryReader

    def start(self) -> None:
        """Begin as the thread does."""
        self.stop()  # So that nothing waits.
        reader = self._open_reader(self.fold.base.cut)
        assert isinstance(reader, MemoryReader)
        self.reader = reader
        self._goal = self.ends = reader.end_offsets()

    def read_on(self, poll: Poll) -> None:
        """Read and fold one micro-batch, unless memory is short."""
        self._look(self.reader)
        if not self.paused:
            self.reader.tell(poll)
            self._micro_batch(self.reader)


class Speed(SpeedClient):
    """A speed worker that can be killed and started cold, and the client that asks it."""

    def __init__(self, lake: Lake, log: MemoryLog, share: Share = ALL_LANES) -> None:
        super().__init__("", share)
        self._lake = lake
        self._log = log
        self._worker: SpeedWorker | None = None
        self._readers: dict[str, MemoryReader] = {}

    def start(self) -> None:
        """Start a worker, in place of the one there was, if any."""

        def open_reader(start: Positions) -> MemoryReader:
            return self._log.open_reader(start, share=self._share)

        self._worker = SpeedWorker(self._lake, open_reader, VIEWS, SOURCES, SOURCE, ROOMY_BYTES, self._share)

    def kill(self) -> None:
        """End the worker; nothing of it is left."""
        self._worker = None

    @property
    def is_up(self) -> bool:
        """Whether there is a worker."""
        return self._worker is not None

    def memory(self, *, is_full: bool) -> None:
        """Let the worker be out of memory, or not."""
        if self._worker is not None:
            self._worker._memory_bytes = 0 if is_full else ROOMY_BYTES

    def read_on(self, polls: Sequence[Poll]) -> None:
        """Look for a new base, and read on by some micro-batches on each base."""
        if self._worker is None:
            return
        self._worker.look()
        for reading in self._worker._readings.values():
            assert isinstance(reading, SteppedReading)
            self._readers[reading.fold.incarnation] = reading.reader
            for poll in polls:
                reading.read_on(poll)

    def lost(self, incarnation: str, positions: Positions) -> list[Lost]:
        """What retention had taken from under a fold of this worker when it was at these positions."""
        reader = self._readers.get(incarnation)
        return [gap for gap in reader.lost if gap.next_offset <= positions.get(gap.lane, 0)] if reader else []

    def _call(self, request: ChangesRequest) -> list[bytes]:
        if self._worker is None:
            raise SpeedAway("There is no speed worker.")
        return self._worker.changes(request.model_copy(update={"wait_ms": 0}))


def kept_in_raw(lake: Lake, publication: Publication, parent: Publication) -> set[tuple[str, int]]:
    """Lane and offset of every record in any data file of `raw` but those that a publication added itself."""
    now, before = (lake.files(RAW.name, each.tables.get(RAW.name, 0)) for each in (publication, parent))
    others = {str(path) for path in Path(lake.root, RAW.name).glob("*.parquet")} - ({*now} - {*before})
    return set(pl.read_parquet(sorted(others), columns=["lane", "offset"]).iter_rows()) if others else set()


class Team:
    """The speed workers, one or several."""

    def __init__(self, lake: Lake, log: MemoryLog, workers: int) -> None:
        self.members = [Speed(lake, log, Share(number, workers)) for number in range(workers)]
        for member in self.members:
            member.start()

    def __getitem__(self, number: int) -> Speed:
        return self.members[number % len(self.members)]

    def lost(self, incarnation: str, positions: Positions) -> list[Lost]:
        """What retention had taken from under the folds when they were at these positions."""
        folds = incarnation.split()
        return [gap for member in self.members for fold in folds for gap in member.lost(fold, positions)]

    def asked(self) -> Speed | SpeedWorkers:
        """What a serving process that has just started asks."""
        if len(self.members) == 1:
            return self.members[0]
        return SpeedWorkers([SpeedReplicas([member]) for member in self.members], AtOnce())


def new_seam(lake: Lake, team: Team) -> Seam:
    """A serving process that has just started and has seen the lake; it waits for the speed worker for ever."""
    seam = Seam(lake, team.asked(), VIEWS)
    seam._stopping.set()  # So that nothing waits.
    seam.look_at_lake()
    return seam
