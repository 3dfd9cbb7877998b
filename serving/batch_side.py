"""The batch side of an answer: the partials of one publication, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from serving.sorted_partials import SortedPartials
from twofold.lake import Lake
from twofold.publication import GENESIS, Publication
from twofold.tables import view_table
from twofold.view import View


@dataclass(frozen=True)
class BatchSide:
    """Partials at one publication, and the files that they were read from."""

    publication: Publication = GENESIS
    partials: Mapping[str, SortedPartials] = field(default_factory=dict)
    files: Mapping[str, frozenset[str]] = field(default_factory=dict)


def load_batch_side(
    lake: Lake, views: Mapping[str, View], publication: Publication, before: BatchSide | None
) -> BatchSide:
    """Read the partials that a publication names. What `before` has read already is not read again.

    Raises:
        LakeUnreachable: a table cannot be read.
    """
    partials: dict[str, SortedPartials] = {}
    files: dict[str, frozenset[str]] = {}
    for name, view in views.items():
        table = view_table(view).name
        version = publication.tables.get(table)
        files[name] = frozenset() if version is None else frozenset(lake.files(table, version))
        known, kept = frozenset[str](), SortedPartials.of(view)
        if before is not None and before.files[name] <= files[name]:
            known, kept = before.files[name], before.partials[name]
        added = sorted(files[name] - known)
        if added:
            more = lake.read_files(table, added, view.partial_schema.names())
            kept = SortedPartials.of(view, pl.concat([kept.frame, more]))
        partials[name] = kept
    return BatchSide(publication, partials, files)
