"""Faults to plant: each breaks one thing that a law stands on, for as long as the context lasts, in this process only.

They are switches of the tests: `make twin FAULT=name` runs the twin with one of them, and it must find it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from unittest.mock import patch

import batch_layer.cycle
import serving.merged
import serving.speed_workers
import speed_layer.base_fold
import speed_layer.worker
from speed_layer.base import Base, load_base
from speed_layer.base_fold import BaseFold
from twofold.lake import Lake
from twofold.lane import Positions
from twofold.publication import Publication, Publications, publish
from twofold.records import RecordBatch
from twofold.source import Source
from twofold.view import View


class _BegunLate(BaseFold):
    """A fold that misses the first record after the cut of each lane."""

    def apply(self, batches: Sequence[RecordBatch], positions: Positions, lost: Mapping[str, int]) -> None:
        """Fold the records but those at the cut itself."""
        super().apply([_without(batch, self.base.cut.get(batch.lane, 0)) for batch in batches], positions, lost)


def _without(batch: RecordBatch, offset: int) -> RecordBatch:
    if offset not in batch.offsets:
        return batch
    columns = {name: getattr(batch, name) for name in ("offsets", "timestamps_ms", "keys", "values", "headers")}
    place = batch.offsets.index(offset)
    kept = {name: column and [*column[:place], *column[place + 1 :]] for name, column in columns.items()}
    return replace(batch, **kept)


@contextmanager
def cut_off_by_one() -> Iterator[None]:
    """The speed worker begins one record after the cut. Its positions are right, or the reader would tell already."""
    with patch.object(speed_layer.worker, "BaseFold", _BegunLate):
        yield


@contextmanager
def old_state_kept() -> Iterator[None]:
    """When the cut moves, the new fold begins with the partials of the fold before it."""
    folds: list[BaseFold] = []

    def kept(base: Base, views: Mapping[str, View], sources: Mapping[str, Source], source: str) -> BaseFold:
        fold = BaseFold(base, views, sources, source)
        if folds and folds[-1].base.sequence < base.sequence:
            fold.snapshot = replace(fold.snapshot, logs=folds[-1].snapshot.logs)
        folds[:] = [fold]
        return fold

    with patch.object(speed_layer.worker, "BaseFold", kept):
        yield


@contextmanager
def ledger_skipped() -> Iterator[None]:
    """The speed worker does not know the ids that were seen below the cut."""

    def unknowing(lake: Lake, publication: Publication, sources: Mapping[str, Source]) -> Base:
        base = load_base(lake, publication, sources)
        return Base(base.sequence, base.cut)

    with patch.object(speed_layer.worker, "load_base", unknowing):
        yield


@contextmanager
def parent_not_compared() -> Iterator[None]:
    """A cycle publishes on top of whatever has been published since it began."""

    def careless(lake: Lake, publication: Publication) -> None:
        publish(lake, replace(publication, sequence=Publications(lake).newest().sequence + 1))

    with patch.object(batch_layer.cycle, "publish", careless):
        yield


@contextmanager
def finality_too_early() -> Iterator[None]:
    """An answer takes the newest time that a venue has seen for its watermark, not the third newest."""

    def early(witnesses: Mapping[str, list[int]]) -> dict[str, int]:
        return {venue: times[0] for venue, times in witnesses.items() if times}

    with patch.object(serving.merged, "watermarks_us", early):
        yield


@contextmanager
def workers_not_compared() -> Iterator[None]:
    """Serving does not look whether two speed workers have taken the same trade."""
    with patch.object(serving.speed_workers, "markets_of_both", lambda *_: set()):
        yield


@contextmanager
def first_copy_kept() -> Iterator[None]:
    """A speed worker keeps the copy that it reads first, though a lesser one comes."""
    with patch.object(speed_layer.base_fold, "find_correction", lambda *_: None):
        yield


FAULTS: Mapping[str, Callable[[], AbstractContextManager[None]]] = {
    "cut-off-by-one": cut_off_by_one,
    "old-state-kept": old_state_kept,
    "ledger-skipped": ledger_skipped,
    "parent-not-compared": parent_not_compared,
    "finality-too-early": finality_too_early,
    "workers-not-compared": workers_not_compared,
    "first-copy-kept": first_copy_kept,
}
