"""The batch side of an answer: the partials of one publication, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from serving.settled import Settled
from serving.sorted_partials import SortedPartials
from twofold.gaps import GAP_SCHEMA, OpenHoles
from twofold.lake import Lake
from twofold.ledger import MARKET
from twofold.publication import GENESIS, Publication
from twofold.tables import GAPS
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
        settled: Rows that answers were made of, on this side alone.
    """

    publication: Publication = GENESIS
    partials: Mapping[str, SortedPartials] = field(default_factory=dict)
    files: Mapping[str, frozenset[str]] = field(default_factory=dict)
    gaps: pl.DataFrame = field(default_factory=GAP_SCHEMA.to_frame)
    holes: OpenHoles = field(default_factory=lambda: OpenHoles(GAP_SCHEMA.to_frame()))
    settled: Settled = field(default_factory=Settled, compare=False)

    @cached_property
    def views(self) -> Mapping[str, View]:
        """The views that answers can be made of, by name, as the publication has them."""
        return {name: partials.view for name, partials in self.partials.items()}


def load_batch_side(
    lake: Lake, declared: Mapping[str, View], publication: Publication, before: BatchSide | None
) -> BatchSide:
    """Read the partials and the gaps that a publication names. What `before` has read already is not read again.

    Args:
        lake: where they are.
        declared: the views that a new lake is founded with, which are served while nothing was published.
        publication: which views are served, and which versions of their tables.
        before: what was read of an earlier publication.

    Raises:
        LakeUnreachable: a table cannot be read.
        ViewUnreadable: a view is not known here.
    """
    partials: dict[str, SortedPartials] = {}
    files: dict[str, frozenset[str]] = {}
    for name, edition in publication.served(declared).items():
        table, view = edition.table, edition.view
        version = publication.tables.get(table)
        files[name] = frozenset() if version is None else frozenset(lake.files(table, version))
        known, kept = frozenset[str](), SortedPartials.of(view)
        if before is not None and _goes_on(before, view, files[name]):
            known, kept = before.files[name], before.partials[name]
        added = sorted(files[name] - known)
        if added:
            more = lake.read_files(table, added, view.partial_schema.names())
            kept = SortedPartials.of(view, pl.concat([kept.frame, more]))
        partials[name] = kept
    return BatchSide(publication, partials, files, *_gaps(lake, publication, before))


def _goes_on(before: BatchSide, view: View, files: frozenset[str]) -> bool:
    """Whether what was read of a view is a part of these files of it."""
    known = before.partials.get(view.name)
    return known is not None and known.view == view and before.files[view.name] <= files


def _gaps(lake: Lake, publication: Publication, before: BatchSide | None) -> tuple[pl.DataFrame, OpenHoles]:
    version = publication.tables.get(GAPS.name)
    if before is not None and before.publication.tables.get(GAPS.name) == version:
        return before.gaps, before.holes
    files = [] if version is None else lake.files(GAPS.name, version)
    gaps = lake.read_files(GAPS.name, files, GAP_SCHEMA.names()) if files else GAP_SCHEMA.to_frame()
    return gaps.sort(*MARKET, "first_id"), OpenHoles(gaps)
