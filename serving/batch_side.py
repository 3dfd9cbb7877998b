"""The batch side of an answer: the partials of one publication, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from serving.sorted_partials import SortedPartials
from twofold.gaps import GAP_SCHEMA, OpenHoles
from twofold.lake import Lake
from twofold.ledger import MARKET
from twofold.publication import GENESIS, Publication
from twofold.tables import GAPS, view_table
from twofold.view import View


@dataclass(frozen=True)
class BatchSide:
    """Partials and gaps at one publication.

    Attributes:
        publication: Which one.
        partials: Of each view, one per group.
        files: The data files that they were read from.
        gaps: The ids that are missing (`GAP_SCHEMA`), by market and first id.
        holes: Those of them that are open, by where they may fall.
    """

    publication: Publication = GENESIS
    partials: Mapping[str, SortedPartials] = field(default_factory=dict)
    files: Mapping[str, frozenset[str]] = field(default_factory=dict)
    gaps: pl.DataFrame = field(default_factory=GAP_SCHEMA.to_frame)
    holes: OpenHoles = field(default_factory=lambda: OpenHoles(GAP_SCHEMA.to_frame()))


def load_batch_side(
    lake: Lake, views: Mapping[str, View], publication: Publication, before: BatchSide | None
) -> BatchSide:
    """Read the partials and the gaps that a publication names. What `before` has read already is not read again.

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
    return BatchSide(publication, partials, files, *_gaps(lake, publication, before))


def _gaps(lake: Lake, publication: Publication, before: BatchSide | None) -> tuple[pl.DataFrame, OpenHoles]:
    version = publication.tables.get(GAPS.name)
    if before is not None and before.publication.tables.get(GAPS.name) == version:
        return before.gaps, before.holes
    files = [] if version is None else lake.files(GAPS.name, version)
    gaps = lake.read_files(GAPS.name, files, GAP_SCHEMA.names()) if files else GAP_SCHEMA.to_frame()
    return gaps.sort(*MARKET, "first_id"), OpenHoles(gaps)
