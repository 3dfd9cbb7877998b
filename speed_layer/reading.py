"""Reading for one base: a thread that feeds its fold from the log, from the cut on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import monotonic

from speed_layer.base_fold import BaseFold
from speed_layer.stalls import Stalls
from twofold.errors import EventLogUnreachable, TwofoldError
from twofold.lane import Positions, at_least
from twofold.records import OpenReader, RecordReader
from twofold.resuming import resume
from twofold.speed_state import WorkerState

MICRO_BATCH_RECORDS = 20_000
"""Records that one micro-batch holds, about, at most."""

_POLL_MS = 100
_LOOK_S = 0.5

log = logging.getLogger(__name__)


class Reading(threading.Thread):
    """Feeds a fold until it is stopped. A failure ends the thread and is kept in `failure`.

    The fold can answer once it has reached all that was answered before: the end that the log had at the start, or, if
    `predecessor`, whose place it takes, is paused, as far as that has come.
    """

    def __init__(
        self,
        fold: BaseFold,
        open_reader: OpenReader,
        out_of_memory: Callable[[], bool],
        predecessor: Reading | None = None,
    ) -> None:
        super().__init__(name=f"reading-{fold.base.sequence}", daemon=True)
        self.fold = fold
        self.ends: dict[str, int] = {}
        self.failure: Exception | None = None
        self.paused = False
        self.stalls = Stalls()
        self.ready_at_s: float | None = None
        self._open_reader = open_reader
        self._out_of_memory = out_of_memory
        self._predecessor = predecessor
        self._goal: Positions = {}
        self._lost_seen = 0
        self._looked_at_s = 0.0
        self._stopping = threading.Event()

    @property
    def state(self) -> WorkerState:
        """Whether the fold can answer, and whether it reads on."""
        if self.ready_at_s is None:
            return "catching_up"
        return "paused" if self.paused else "live"

    def stop(self) -> None:
        """Ask the thread to end; it does so within a fraction of a second."""
        self._stopping.set()

    def replace_predecessor(self) -> None:
        """End the predecessor, so that its memory is free, and go on alone: first as far as that has come."""
        ahead = self._predecessor
        if ahead is None:
            return
        ahead.stop()
        if ahead.is_alive():
            ahead.join()
        reached = ahead.fold.snapshot.positions
        self._goal = {lane: max(reached.get(lane, 0), self._goal.get(lane, 0)) for lane in {**reached, **self._goal}}
        self._predecessor = None

    def run(self) -> None:
        """Read and fold until stopped."""
        try:
            reader = resume(self._open_reader, self.fold.base.cut, self.fold.base.log)
            try:
                self._goal = self.ends = reader.end_offsets()
                self._read(reader)
            finally:
                reader.close()
        except TwofoldError as error:
            self.failure = error
            log.warning("Folding on base %s stopped: %s", self.fold.base.sequence, error)
        except Exception as error:
            self.failure = error
            log.exception("Folding on base %s stopped", self.fold.base.sequence)

    def _read(self, reader: RecordReader) -> None:
        while not self._stopping.is_set():
            try:
                self._look(reader)
                if self.paused:
                    self._stopping.wait(_LOOK_S)
                else:
                    self._micro_batch(reader)
            except EventLogUnreachable as error:
                log.warning("%s", error)
                self.stalls.start_over()
                self._stopping.wait(_LOOK_S)

    def _look(self, reader: RecordReader) -> None:
        if monotonic() - self._looked_at_s < _LOOK_S:
            return
        self._looked_at_s = monotonic()
        self.ends = reader.end_offsets()
        # One that takes another's place goes on until it can: when memory is short, the other one goes.
        self.paused = self._predecessor is None and self._out_of_memory()
        if self.paused:
            self.stalls.start_over()
        else:
            self.stalls.look(self.fold.snapshot.positions, self.ends)

    def _micro_batch(self, reader: RecordReader) -> None:
        self._step(reader)
        if self.ready_at_s is None:
            self._see_whether_ready()

    def _see_whether_ready(self) -> None:
        ahead = self._predecessor
        goal = ahead.fold.snapshot.positions if ahead is not None and ahead.paused else self._goal
        if at_least(self.fold.snapshot.positions, goal):
            self._predecessor = None
            self.ready_at_s = monotonic()

    def _step(self, reader: RecordReader) -> None:
        batches = reader.poll(_POLL_MS, MICRO_BATCH_RECORDS)
        lost = reader.lost[self._lost_seen :]
        self._lost_seen += len(lost)
        positions = reader.positions
        if batches or lost:
            self.fold.apply(batches, positions, lost)
        elif positions != self.fold.snapshot.positions:
            self.fold.move_to(positions)
