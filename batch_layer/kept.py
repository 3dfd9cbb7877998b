"""What the lake kept of records that the event log has no longer.

A cycle that ended between its append to `raw` and its publication leaves rows there that nobody reads, and the next
one drops them, since it reads the same records again. Where retention has taken these from the log meanwhile, those
rows are the only copy. Imports and maintenance may have published in between: they drop the rows too, but leave the
files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import polars as pl

from twofold.errors import LakeUnreachable
from twofold.lake import Lake
from twofold.lane import positions_from_json
from twofold.publication import PUBLICATIONS, Publication
from twofold.records import RECORD_SCHEMA, Lost, RecordBatch, batch_of
from twofold.tables import RAW


def kept_of(lake: Lake, parent: Publication, head: int, gone: Sequence[Lost]) -> list[RecordBatch]:
    """The records at these offsets that versions of `raw` hold which were never published, each once.

    Args:
        lake: The lake.
        parent: The newest publication.
        head: The newest version, before anything is brought back.
        gone: What the log has no longer.

    Raises:
        LakeUnreachable: a file of those versions cannot be read.
    """
    files = _scratch(lake, parent, head, {each.lane for each in gone}) if gone else []
    if not files:
        return []
    rows = lake.read_files(RAW.name, files, RECORD_SCHEMA.names()).unique(["lane", "offset"], keep="any").sort("offset")
    place = pl.col("lane"), pl.col("offset")
    found = [
        (each, rows.filter(place[0] == each.lane, place[1] >= each.first_offset, place[1] < each.next_offset))
        for each in gone
    ]
    return [batch_of(frame, each.next_offset) for each, frame in found if frame.height]


def _scratch(lake: Lake, parent: Publication, head: int, lanes: set[str]) -> list[str]:
    """The data files that were part of a later version only; those that have been vacuumed are gone too."""
    published = parent.tables.get(RAW.name, 0)
    since = _version_since(lake, parent, lanes)
    later = {file for version in range(since + 1, head + 1) for file in _files(lake, version, published)}
    files = sorted(later - set(lake.files(RAW.name, published))) if later else []
    return [file for file in files if not lake.is_local or Path(file).exists()]


def _version_since(lake: Lake, parent: Publication, lanes: set[str]) -> int:
    """The version of `raw` in the first of those publications, up to the parent, that have the parent's cut there."""
    columns = pl.scan_delta(lake.open(PUBLICATIONS.name)).filter(pl.col("sequence") <= parent.sequence)
    version = parent.tables.get(RAW.name, 0)
    for cut, tables in columns.sort("sequence", descending=True).select("cut", "tables").collect().iter_rows():
        positions = positions_from_json(cut)
        if any(positions.get(lane, 0) != parent.cut.get(lane, 0) for lane in lanes):
            return version
        version = min(version, orjson.loads(tables).get(RAW.name, 0))
    return 0


def _files(lake: Lake, version: int, published: int) -> Iterator[str]:
    try:
        yield from lake.files(RAW.name, version)
    except LakeUnreachable:
        if version > published:
            raise  # Before it, what retention leaves of the log ends somewhere.
