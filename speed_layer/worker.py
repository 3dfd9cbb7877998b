"""The speed worker: one fold per base, a second one whenever the cut moves."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic

import polars as pl
import psutil

from speed_layer.base import load_base
from speed_layer.base_fold import BaseFold, Snapshot
from speed_layer.reading import Reading
from twofold.account import accounts_to_json
from twofold.errors import BaseGone, DecoderDiffers, LakeError, ViewUnreadable
from twofold.lake import Lake
from twofold.lane import ALL_LANES, Share
from twofold.ledger import MARKET, Ledger
from twofold.publication import Publications
from twofold.records import OpenReader
from twofold.source import Source, sources_hash
from twofold.speed_state import COPIES, IDS, ChangesRequest, SpeedHeader, pack
from twofold.view import View

GRACE_S = 2.0
"""Seconds for which an old base is kept once its successor can answer, so that every reader can move over."""

RETRY_S = 1.0
"""Seconds before a fold that failed is started again, cold."""

_LOOK_S = 0.25

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Refused:
    """The newest publication, which another version made, and since when there have been only such."""

    sequence: int
    since_s: float  # on the monotonic clock


class SpeedWorker:
    """Holds the fold that answers now, and beside it the one that catches up on the newest publication."""

    def __init__(
        self,
        lake: Lake,
        open_reader: OpenReader,
        views: Mapping[str, View],
        sources: Mapping[str, Source],
        default_source: str,
        memory_bytes: int,
        share: Share = ALL_LANES,
    ) -> None:
        self._lake = lake
        self._share = share
        self._publications = Publications(lake)
        self._open_reader = open_reader
        self._views = views
        self._sources = sources
        self._default_source = default_source
        self._sources_hash = sources_hash(sources, default_source)
        self._memory_bytes = memory_bytes
        self._process = psutil.Process()
        self._readings: dict[int, Reading] = {}
        self._refused: _Refused | None = None
        self._stopping = threading.Event()

    @property
    def readings(self) -> Mapping[int, Reading]:
        """The reading of each base that is held, by its sequence; a mapping that was given does not change."""
        return self._readings

    @property
    def refuses(self) -> bool:
        """Whether the newest publication is refused, since another decoder made it."""
        return self._refused is not None

    def run(self) -> None:
        """Follow the publications until stopped."""
        try:
            while not self._stopping.is_set():
                self.look()
                self._stopping.wait(_LOOK_S)
        finally:
            for reading in list(self._readings.values()):
                reading.stop()
            for reading in list(self._readings.values()):
                if reading.is_alive():
                    reading.join(timeout=5)

    def stop(self) -> None:
        """Ask `run` to end."""
        self._stopping.set()

    def look(self) -> None:
        """Start a fold on the newest publication if there is news, replace a failed one, let old ones go.

        A publication that another decoder made, or that has a view which is not known here, is refused, which the log
        says once for each. The bases before it are held for the grace of any old base, and then let go: what has been
        published moves on without this worker.
        """
        if self._drop_failed():
            self._stopping.wait(RETRY_S)
        self._drop_old()
        self._make_room()
        catching_up = {s for s, reading in self._readings.items() if reading.ready_at_s is None}
        if not all(self._readings[sequence].paused for sequence in catching_up):
            return  # One base catches up at a time; a newer publication waits for it, unless it got stuck.
        try:
            publication = self._publications.newest()
            if publication.sequence in self._readings:
                return
            base = load_base(self._lake, publication, self._sources)
            base = replace(base, cut=self._share.of(base.cut))
            served = publication.served(self._views)
            views = {name: edition.view for name, edition in served.items()}
        except (DecoderDiffers, ViewUnreadable) as error:
            self._refuse(publication.sequence, error)
            return
        except LakeError as error:
            log.warning("%s", error)
            return
        self._refused = None
        self._let_go(catching_up)
        fold = BaseFold(base, views, self._sources, self._default_source)
        predecessor = self._readings[max(self._readings)] if self._readings else None
        reading = Reading(fold, self._open_reader, partial(self._out_of_memory, fold), predecessor)
        reading.start()
        self._readings = {**self._readings, base.sequence: reading}
        log.info("Folding on base %s from its cut %s", base.sequence, dict(base.cut))

    def changes(self, request: ChangesRequest) -> list[bytes]:
        """Answer a request for changes, waiting for one as long as it says.

        Raises:
            BaseGone: the worker does not hold that base.
        """
        reading = self._readings.get(request.sequence)
        if reading is None:
            raise BaseGone(request.sequence, self._readings)
        fold, state = reading.fold, reading.state  # The state first: what is called ready has got at least that far.
        known = request.after if request.incarnation == fold.incarnation else 0
        snapshot = fold.wait_for_change(known, request.wait_ms / 1000)
        whole = known == 0 or not all(part.can_tell_since(known) for part in snapshot.logs.values())
        frames = {} if state == "catching_up" or request.head else _changes(snapshot, 0 if whole else known, request)
        header = SpeedHeader(
            sequence=request.sequence,
            incarnation=fold.incarnation,
            version=snapshot.version,
            whole=whole,
            state=state,
            positions=dict(snapshot.positions),
            ends=reading.ends,
            accounts=accounts_to_json(snapshot.accounts),
            newest_event_us=snapshot.newest_event_us,
            lost=[(gap.lane, gap.first_offset, gap.next_offset) for gap in snapshot.lost],
            sources_hash=self._sources_hash,
            definitions=fold.definitions if whole else {},
            views=[name for name in frames if name in snapshot.logs],
            parts=[name for name in frames if name not in snapshot.logs],
            worker=self._share.worker,
            workers=self._share.workers,
            held=sorted(self._readings),
            stalled=sorted(reading.stalls.lanes),
        )
        return pack(header, frames)

    def _out_of_memory(self, fold: BaseFold) -> bool:
        return bool(self._process.memory_info().rss + fold.merge_bytes > self._memory_bytes)

    def _make_room(self) -> None:
        """When memory is short, hold the newest base alone: serving has what the others had, until that gets there."""
        newest = self._readings[max(self._readings)] if len(self._readings) > 1 else None
        if newest is not None and self._out_of_memory(newest.fold):
            newest.replace_predecessor()
            self._let_go(set(self._readings) - {newest.fold.base.sequence})

    def _drop_failed(self) -> bool:
        sound = {s: reading for s, reading in self._readings.items() if reading.failure is None}
        failed = len(sound) < len(self._readings)
        self._readings = sound
        return failed

    def _drop_old(self) -> None:
        ready = [s for s, r in self._readings.items() if r.ready_at_s is not None]
        newest_at_s = self._readings[max(ready)].ready_at_s if ready else None
        if newest_at_s is None or monotonic() - newest_at_s < GRACE_S:
            return
        self._let_go({sequence for sequence in self._readings if sequence < max(ready)})

    def _refuse(self, sequence: int, error: LakeError) -> None:
        before = self._refused
        if before is None or before.sequence != sequence:
            log.warning("Refused base %s. %s", sequence, error)
        self._refused = _Refused(sequence, monotonic() if before is None else before.since_s)
        if monotonic() - self._refused.since_s >= GRACE_S:
            self._let_go(set(self._readings))

    def _let_go(self, sequences: set[int]) -> None:
        for sequence in sequences:
            self._readings[sequence].stop()
        self._readings = {s: reading for s, reading in self._readings.items() if s not in sequences}


def _changes(snapshot: Snapshot, after: int, request: ChangesRequest) -> dict[str, pl.DataFrame]:
    """What came after a version, by view and part."""
    partials = {name: log.since(after) for name, log in snapshot.logs.items()}
    if request.shared is None:
        return partials
    shared = pl.DataFrame(request.shared, schema=dict.fromkeys(MARKET, pl.String()), orient="row")
    taken = snapshot.copies.since(after)
    return {
        **{name: frame.join(shared, on=MARKET, how="anti") for name, frame in partials.items()},
        IDS: Ledger().sort_out(taken).added.frame,
        COPIES: taken.join(shared, on=MARKET, how="semi"),
    }
