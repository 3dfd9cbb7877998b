"""Compaction: the many small files that cycles leave, joined. No row of `raw` or `trades` changes, and no answer."""

from __future__ import annotations

import re
from collections import Counter

from batch_layer.partials import merge_day
from twofold.edition import carried
from twofold.lake import Lake, TableSpec, TableWriter
from twofold.publication import Publication
from twofold.tables import DEAD_LETTERS, GAP_LOG, RAW, TRADES

TARGET_BYTES = 128 * 1024**2
"""About how large the files are that small ones are joined to."""

FILES = 16
"""Small files of a table, or files of a view beside one for each day, at which they are joined."""

GROWING = (RAW, TRADES, DEAD_LETTERS, GAP_LOG)
"""The tables to which rows are only added. Ledger and gaps are rewritten by cycles themselves."""

_DAY = re.compile(r"/day=(\d{4}-\d{2}-\d{2})/")


def compact(lake: Lake, publication: Publication) -> dict[str, int]:
    """Join files of the tables that a publication names, each table on exactly that version.

    Returns:
        The new versions of those that changed.

    Raises:
        Superseded: another cycle is at work.
        LakeUnreachable: a table cannot be read or written.
    """
    changed: dict[str, int] = {}
    for spec in GROWING:
        if small_files(lake, publication, spec) >= FILES:
            writer = _writer(lake, publication, spec)
            writer.compact(TARGET_BYTES)
            changed[spec.name] = writer.version
    for edition in carried(publication.editions):
        view, spec = edition.view, edition.spec
        if days := crowded_days(lake, publication, spec):
            writer = _writer(lake, publication, spec)
            for day in days:
                merge_day(view, writer, day)
            changed[spec.name] = writer.version
    return changed


def joinable(lake: Lake, publication: Publication) -> dict[str, int]:
    """How many files `compact` would join, of each table of which it would join any."""
    found = {spec.name: small_files(lake, publication, spec) for spec in GROWING}
    for edition in carried(publication.editions):
        spec = edition.spec
        files = _files_by_day(lake, publication, spec)
        found[spec.name] = sum(files[day] for day in crowded_days(lake, publication, spec))
    return {name: count for name, count in found.items() if count >= FILES}


def small_files(lake: Lake, publication: Publication, spec: TableSpec) -> int:
    """How many files a table has that are much smaller than they may be."""
    version = publication.tables.get(spec.name)
    if version is None:
        return 0
    files = lake.file_bounds(spec.name, version)
    return 0 if files.is_empty() else int((files["size_bytes"] < TARGET_BYTES // 2).sum())


def crowded_days(lake: Lake, publication: Publication, spec: TableSpec) -> list[str]:
    """The days of a view that have more files than one, if there are enough of them over all days."""
    files = _files_by_day(lake, publication, spec)
    several = sorted(day for day, count in files.items() if count > 1)
    return several if sum(files[day] - 1 for day in several) >= FILES else []


def _files_by_day(lake: Lake, publication: Publication, spec: TableSpec) -> Counter[str]:
    files = lake.files(spec.name, publication.tables[spec.name])
    return Counter(match[1] for file in files if (match := _DAY.search(file)))


def _writer(lake: Lake, publication: Publication, spec: TableSpec) -> TableWriter:
    writer = TableWriter(lake, spec)
    writer.bring_back(publication.tables[spec.name])
    return writer
