"""A log of partials of one view: what each micro-batch added, merged now and then so that it stays short.

It is merged by size, as in a log-structured merge tree (O'Neil et al., 1996): an older entry is taken along once the
newer ones, merged, have come to its size. So a row is merged a few times, however long the log is.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from twofold.fold import empty_partials, merge
from twofold.view import View

ENTRIES = 64
"""Entries at which the older ones are merged into one."""

_KEPT = 16


@dataclass(frozen=True)
class PartialLog:
    """Partials by the version that added them. Immutable: adding makes a new log, so readers need no lock.

    `merged_to` is the version up to which entries have been merged, each of several versions.
    """

    view: View
    entries: tuple[tuple[int, pl.DataFrame], ...] = ()
    merged_to: int = 0

    def add(self, version: int, partials: pl.DataFrame) -> PartialLog:
        """The log with one more entry."""
        entries = (*self.entries, (version, partials)) if partials.height else self.entries
        if len(entries) <= ENTRIES:
            return PartialLog(self.view, entries, self.merged_to)
        old, kept = entries[:-_KEPT], entries[-_KEPT:]
        older = min(sum(version <= self.merged_to for version, _ in old), _KEPT)
        merged = merge(self.view, pl.concat(frame for _, frame in old[older:]))
        while older and old[older - 1][1].height <= merged.height:
            older -= 1
            merged = merge(self.view, pl.concat([old[older][1], merged]))
        merged_to = old[-1][0]
        return PartialLog(self.view, (*old[:older], (merged_to, merged), *kept), merged_to)

    @property
    def size_bytes(self) -> int:
        """How large the partials are; merging them needs as much again, at most, until it is done."""
        return int(sum(frame.estimated_size() for _, frame in self.entries))

    def replaced(self, version: int, windows: pl.DataFrame, partials: pl.DataFrame) -> PartialLog:
        """The log with nothing in some windows (`venue`, `symbol`, `window_start`) but `partials`."""
        others = (frame.join(windows, on=windows.columns, how="anti") for _, frame in self.entries)
        entries = tuple((version, frame) for frame in (*others, partials) if frame.height)
        return PartialLog(self.view, entries, version)

    def can_tell_since(self, version: int) -> bool:
        """Whether what came after that version can be told apart from what came before."""
        return version >= self.merged_to

    def since(self, version: int) -> pl.DataFrame:
        """The partials that came after a version; 0 for all."""
        frames = [frame for added_at, frame in self.entries if added_at > version]
        return pl.concat(frames) if frames else empty_partials(self.view)
