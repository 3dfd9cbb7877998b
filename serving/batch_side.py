"""The batch side of an answer: the partials of one publication, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from twofold.fold import empty_partials, merge
from twofold.lake import Lake
from twofold.publication import GENESIS, Publication
from twofold.tables import view_table
from twofold.view import View


@dataclass(frozen=True)
class BatchSide:
    """Partials at one publication, merged to one row per group, and the files that they were read from."""

    publication: Publication = GENESIS
    partials: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    files: Mapping[str, frozenset[str]] = field(default_factory=dict)


def load_batch_side(
    lake: Lake, views: Mapping[str, View], publication: Publication, before: BatchSide | None
) -> BatchSide:
    """Read the partials that a publication names. What `before` has read already is not read again.

    Raises:
        LakeUnreachable: a table cannot be read.
    """
    partials: dict[str, pl.DataFrame] = {}
    files: dict[str, frozenset[str]] = {}
    for name, view in views.items():
        table = view_table(view).name
        version = publication.tables.get(table)
        files[name] = frozenset() if version is None else frozenset(lake.files(table, version))
        known, kept = frozenset[str](), empty_partials(view)
        if before is not None and before.files[name] <= files[name]:
            known, kept = before.files[name], before.partials[name]
        added = sorted(files[name] - known)
        more = [lake.read_files(table, added, view.partial_schema.names())] if added else []
        partials[name] = merge(view, pl.concat([kept, *more])) if more else kept
    return BatchSide(publication, partials, files)
