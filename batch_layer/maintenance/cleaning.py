"""Cleaning: the files of tables that no publication within retention is made of, found and removed.

A data file may go if it was written before the retention began and is part neither of the least version that is named
since, nor of the published one, nor of the head: what was part of versions in between only was written later. So it may
if no version ever named it, as a killed cycle's may be. Of the log goes what lies before the last checkpoint that the
least version can be opened from. Nothing of the `publications` table is removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import unquote

import polars as pl
import pyarrow.fs as pa_fs
from deltalake.fs import DeltaStorageHandler

from twofold.errors import LakeUnreachable
from twofold.lake import Lake

MARGIN = timedelta(hours=1)
"""How far the clocks of writers and of the storage may differ."""

_LOG = "_delta_log"
_DATA = re.compile(r"(?:[^_.][^/]*/)*[^_.][^/]*\.parquet")
_OF_LOG = re.compile(rf"{_LOG}/\.?(\d{{20}})\..*")
_CHECKPOINT = re.compile(rf"{_LOG}/(\d{{20}})\.checkpoint\.parquet")


@dataclass(frozen=True)
class Removable:
    """What may be removed of one table, as paths below it.

    Attributes:
        data: Data files.
        data_bytes: How large these are together.
        log: Commits and checkpoints, and what lies beside them.
    """

    data: tuple[str, ...] = ()
    data_bytes: int = 0
    log: tuple[str, ...] = ()


def removable(lake: Lake, table: str, floor: int, published: int, since: datetime) -> Removable:
    """Find what may be removed of a table.

    Args:
        lake: where it is.
        table: its name.
        floor: the least version that a publication within retention names.
        published: the version that the newest publication names.
        since: when retention began.

    Raises:
        LakeUnreachable: the table cannot be read, or lacks a file.
    """
    needed = {path for version in {floor, published, None} for path in _paths(lake, table, version)}
    files = _files(lake, table)
    if missing := needed - {file.path for file in files}:
        raise LakeUnreachable(
            f"Table {table!r} is made of {min(missing)}, which is not among its files. Nothing of it is removed. Look "
            "at the lake with `twofold doctor`."
        )
    before = since - MARGIN
    old = [file for file in files if file.mtime is not None and file.mtime < before]
    data = [file for file in old if _DATA.fullmatch(file.path) and file.path not in needed]
    checkpoints = [int(match[1]) for file in files if (match := _CHECKPOINT.fullmatch(file.path))]
    first = max((version for version in checkpoints if version <= floor), default=0)
    log = [file.path for file in old if (match := _OF_LOG.fullmatch(file.path)) and int(match[1]) < first]
    return Removable(tuple(file.path for file in data), sum(file.size for file in data), tuple(sorted(log)))


def remove(lake: Lake, table: str, files: Removable) -> None:
    """Remove files of a table; those that are gone already are passed over.

    Raises:
        LakeUnreachable: one cannot be removed; those before it have been.
    """
    storage = _storage(lake, table)
    for path in (*files.data, *files.log):
        try:
            storage.delete_file(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise LakeUnreachable(
                f"{path} of table {table!r} cannot be removed: {error}. Look at the rights."
            ) from error


def _paths(lake: Lake, table: str, version: int | None) -> Iterator[str]:
    """The data files of a version, or of the head, as paths below the table; the log has them as parts of addresses."""
    added = pl.DataFrame(lake.open(table, version).get_add_actions(flatten=True))
    yield from map(unquote, added["path"] if added.height else ())


def _files(lake: Lake, table: str) -> list[pa_fs.FileInfo]:
    try:
        found = _storage(lake, table).get_file_info(pa_fs.FileSelector("", recursive=True))
    except OSError as error:
        raise LakeUnreachable(f"The files of table {table!r} cannot be listed: {error}.") from error
    return [file for file in found if file.type == pa_fs.FileType.File]


def _storage(lake: Lake, table: str) -> pa_fs.FileSystem:
    """The storage of a table, whose paths are below it."""
    if lake.is_local:
        return pa_fs.SubTreeFileSystem(lake.address(table), pa_fs.LocalFileSystem())
    return pa_fs.PyFileSystem(DeltaStorageHandler(lake.address(table)))
