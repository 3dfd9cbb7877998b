"""What the lake kept of records that the event log has no longer.

A cycle that ended between its append to `raw` and its publication leaves rows there that nobody reads, and the next
one drops them, since it reads the same records again. Where retention has taken these from the log meanwhile, those
rows are the only copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from twofold.lake import Lake
from twofold.records import RECORD_SCHEMA, Lost, RecordBatch, batch_of
from twofold.tables import RAW


def kept_of(lake: Lake, published: int | None, head: int, gone: Sequence[Lost]) -> list[RecordBatch]:
    """The records at these offsets that versions of `raw` hold which were never published, each once.

    Args:
        lake: The lake.
        published: The published version; None where nothing was published yet.
        head: The newest version, before anything is brought back.
        gone: What the log has no longer.

    Raises:
        LakeUnreachable: a file of those versions cannot be read.
    """
    files = _scratch(lake, published or 0, head) if gone else []
    if not files:
        return []
    rows = lake.read_files(RAW.name, files, RECORD_SCHEMA.names()).unique(["lane", "offset"], keep="any").sort("offset")
    place = pl.col("lane"), pl.col("offset")
    found = [
        (each, rows.filter(place[0] == each.lane, place[1] >= each.first_offset, place[1] < each.next_offset))
        for each in gone
    ]
    return [batch_of(frame, each.next_offset) for each, frame in found if frame.height]


def _scratch(lake: Lake, published: int, head: int) -> list[str]:
    """The data files that were part of a later version only; those that have been vacuumed are gone too."""
    later = {file for version in range(published + 1, head + 1) for file in lake.files(RAW.name, version)}
    files = sorted(later - set(lake.files(RAW.name, published))) if later else []
    return [file for file in files if not lake.is_local or Path(file).exists()]
