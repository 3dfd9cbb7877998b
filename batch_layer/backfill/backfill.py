"""The backfill of one file: chunk by chunk, each taken in by a batch cycle of its own, beside live ones.

How far it has come is the position of the import's lane in the published cut, and nothing else: a run that was killed
is gone on from there, and one that was whole finds nothing more to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

from batch_layer.backfill.import_file import ImportFile
from batch_layer.cycle import BatchCycle
from batch_layer.intake import Intake
from batch_layer.turn import turn
from twofold.account import Account
from twofold.clock import Clock, utc_now
from twofold.errors import Superseded
from twofold.lake import Lake
from twofold.publication import Publications
from twofold.records import RecordBatch

CHUNK_RECORDS = 200_000
"""Rows that one cycle takes in, at most."""

TURN_WAIT_S = 600.0
"""Seconds to wait for other cycles, each time."""

_TRIES = 10

T = TypeVar("T")


@dataclass(frozen=True)
class Step:
    """What one cycle of a backfill did.

    Attributes:
        sequence: The number of its publication.
        account: What became of the rows.
    """

    sequence: int
    account: Account


class Backfill:
    """Takes one file in.

    Args:
        file: which.
        lake: where to.
        new_cycle: a cycle from the newest publication on, made anew for each chunk.
        chunk_records: rows that one cycle takes in, at most; by default `CHUNK_RECORDS`.
        clock: tells when rows were logged.
    """

    def __init__(
        self,
        file: ImportFile,
        lake: Lake,
        new_cycle: Callable[[], BatchCycle],
        chunk_records: int | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.file = file
        self._lake = lake
        self._new_cycle = new_cycle
        self._chunk_records = CHUNK_RECORDS if chunk_records is None else chunk_records
        self._clock = clock

    def position(self) -> int:
        """How many rows have been taken in, by this run or others before it.

        Raises:
            NoLake: there is no lake at the root.
            LakeUnreachable: it cannot be read.
        """
        return Publications(self._lake).newest().cut.get(self.file.lane, 0)

    def steps(self) -> Iterator[Step]:
        """Take in what is left, one publication after the other; the next chunk is read meanwhile.

        Raises:
            CaptureError: the file cannot be read to its end, or was changed; what was taken in stays.
            TurnTaken: other cycles are at work for too long.
            Superseded: another cycle came first, time after time.
            LakeError: the lake cannot be written.
            ArithmeticOverflow: a sum left the range of its type.
        """
        is_whole = False
        while not is_whole:
            is_whole = True
            for batch in _read_ahead(self.file.batches(self.position(), self._chunk_records, self._clock)):
                step = self._take_in(batch)
                if step is None:  # Someone else has taken it in, or the lake went back: see where it stands.
                    is_whole = False
                    break
                yield step

    def _take_in(self, batch: RecordBatch) -> Step | None:
        """Publish a chunk; None where the cut is not at its beginning any more."""
        for tries_left in reversed(range(_TRIES)):
            try:
                with turn(self._lake, TURN_WAIT_S):
                    return self._publish(batch)
            except Superseded:
                if not tries_left:
                    raise
        return None

    def _publish(self, batch: RecordBatch) -> Step | None:
        cycle = self._new_cycle()
        parent = cycle.parent
        if parent.cut.get(batch.lane, 0) != batch.offsets[0]:
            return None
        cut = {**parent.cut, batch.lane: batch.next_offset}
        intake = cycle.keep(Intake([batch], cut, {batch.lane: len(batch)}, log=parent.log))
        folded = cycle.fold(intake)
        publication = cycle.publish(replace(intake, batches=[]), folded)
        return Step(publication.sequence, folded.accounts[batch.lane])


def _read_ahead(batches: Iterator[T]) -> Iterator[T]:
    """The same, each got while the one before it is looked at."""
    with ThreadPoolExecutor(1, "read-ahead") as reader:
        ahead = reader.submit(next, batches, None)
        while (batch := ahead.result()) is not None:
            ahead = reader.submit(next, batches, None)
            yield batch
