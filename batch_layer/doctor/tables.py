"""What can be wrong with a table: its log, its properties, its data files."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from batch_layer.doctor.commit_file import EMPTY
from batch_layer.doctor.finding import GIVE_UP, GO_BACK, Finding
from batch_layer.doctor.table_log import DataFile, TableLog
from twofold.publication import PUBLICATIONS

READER_VERSION, WRITER_VERSION = 1, 2
"""The highest protocol versions of tables with plain features only, which every engine reads."""

FORBIDDEN = {
    "delta.setTransactionRetentionDuration": "writers forget which transactions they have committed",
    "delta.columnMapping.mode": "columns are stored under other names, which readers of plain tables do not find",
    "delta.enableDeletionVectors": "rows are deleted beside the data files, which readers of plain tables do not see",
    "delta.checkpointPolicy": "checkpoints are of a kind that readers of plain tables cannot read",
    "delta.enableTypeWidening": "data files differ in their types",
    "delta.appendOnly": "cycles cannot take back what was never published",
    "delta.enableChangeDataFeed": "writers add files that nobody here looks after",
}
"""Table properties that Twofold's tables must not have, and what each would do."""

_PLAIN_VALUES = {"false", "none", "classic"}


def look_at_log(name: str, log: TableLog, named: Mapping[int, int]) -> Iterator[Finding]:
    """Find what is wrong with a table's log; `named` is the lowest publication that names a version, by version."""
    if log.head < 0:
        yield Finding("table", name, "it has no log: it is gone, or the lake is not mounted.", "Bring it back.")
        return
    for version, why in sorted(log.broken_commits.items()):
        yield _about_commit(name, log, version, why, named)
    for version, why in sorted(log.broken_checkpoints.items()):
        yield Finding(
            "checkpoint",
            f"{name}, version {version}",
            f"its checkpoint {why}, and readers stop there.",
            "Move it aside, since the commits are whole: `twofold doctor --mend`."
            if log.opens(version)
            else "Commits that it stands for are gone: bring it back from a copy.",
        )
    if log.hint_is_broken:
        yield Finding(
            "checkpoint",
            name,
            "_last_checkpoint leads to no checkpoint, and readers may stop there.",
            "Move it aside; readers find the newest checkpoint without it: `twofold doctor --mend`.",
        )


def _about_commit(name: str, log: TableLog, version: int, why: str, named: Mapping[int, int]) -> Finding:
    first = min((sequence for at, sequence in named.items() if at >= version), default=None)
    if name == PUBLICATIONS.name:
        means = "What it made public is not known"
    else:
        means = "No publication stands on it" if first is None else f"Publication {first} and later ones stand on it"
    passed = "; Delta readers pass over it, and its rows are missing" if why == EMPTY else ""
    if log.newest_openable > version:
        mend = "Later versions stand on a checkpoint; bring it back from a copy to read earlier ones."
    elif first is None and name != PUBLICATIONS.name:
        mend = "Put one that does nothing in its place: `twofold doctor --mend`."
    else:
        mend = GO_BACK
    return Finding("commit", f"{name}, version {version}", f"its commit {why}{passed}. {means}.", mend)


def look_at_properties(name: str, log: TableLog) -> Iterator[Finding]:
    """Find what makes a table more than plain."""
    reader, writer = (log.protocol.get(part, 0) for part in ("minReaderVersion", "minWriterVersion"))
    if reader > READER_VERSION or writer > WRITER_VERSION:
        yield Finding(
            "table",
            name,
            f"it asks for reader version {reader} and writer version {writer}, which not every engine has.",
            f"Make it anew with plain features: reader {READER_VERSION}, writer {WRITER_VERSION}.",
        )
    configuration = dict(log.metadata.get("configuration") or {})
    for key in sorted(configuration.keys() & FORBIDDEN.keys()):
        if str(configuration[key]).lower() not in _PLAIN_VALUES:
            yield Finding(
                "table",
                name,
                f"its property {key} is {configuration[key]!r}: {FORBIDDEN[key]}.",
                f"Take it off: ALTER TABLE … UNSET TBLPROPERTIES ('{key}').",
            )


def broken_files(log: TableLog, wanted: Sequence[int]) -> list[tuple[DataFile, str]]:
    """The data files that cannot be read, each with the reason, as the end of a sentence.

    Only those are looked at that one of the `wanted` versions, in ascending order, is made of.
    """
    needed = [file for file in log.files if _is_part_of_any(file, wanted)]
    reasons = {(file.path, file.size_bytes): "" for file in needed}
    for path, size_bytes in reasons:
        reasons[path, size_bytes] = _what_is_wrong(log.folder / path, size_bytes)
    return [(file, why) for file in needed if (why := reasons[file.path, file.size_bytes])]


def about_files(
    name: str, broken: Sequence[tuple[DataFile, str]], named: Mapping[int, list[int]], newest: int
) -> Iterator[Finding]:
    """Say which publications broken data files are part of; `named` are those that name a version, by version."""
    for file, why in broken:
        at = sorted(number for version in named if file.is_part_of(version) for number in named[version])
        those = f"Publication {at[0]} is" if len(at) == 1 else f"Publications {at[0]} to {at[-1]} are"
        mend = GIVE_UP
        if newest in at:
            mend = "Rebuild it from `raw`, or go back to the last whole publication: `twofold doctor --mend`."
        yield Finding("data file", f"{name}, {file.path}", f"it {why}. {those} made of it.", mend)


def _is_part_of_any(file: DataFile, wanted: Sequence[int]) -> bool:
    next_place = bisect_left(wanted, file.added)
    return next_place < len(wanted) and file.is_part_of(wanted[next_place])


def _what_is_wrong(path: Path, size_bytes: int) -> str:
    if not path.exists():
        return "is missing"
    found_bytes = path.stat().st_size
    if found_bytes != size_bytes:
        return f"has {found_bytes} bytes where its commit says {size_bytes}"
    try:
        pq.read_metadata(path)
    except (pa.ArrowException, OSError):
        return "has no Parquet footer that can be read"
    return ""
