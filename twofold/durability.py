"""Durability: what a commit wrote to a local lake is on the disk before anything is built on it.

The Delta writer leaves files in the system's cache, where a loss of power takes them: whole, in part, or a commit
without the data that it names.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote

import orjson


def make_durable(root: Path, table: Path, version: int) -> None:
    """Put a commit of a table on the disk, with the data files that it added and the folders that lead to them.

    Data files go first and the log last, as they were written; a checkpoint of that version goes along. Files that are
    gone are left to those who read them. Linux and macOS; the latter may keep what is synced in the drive's own cache.

    Args:
        root: The lake's root; folders are synced up to it, and up to its parent for the first version of a table.
        table: The table's folder.
        version: The commit's number; the format is of the Delta transaction log, one action a line.

    Raises:
        OSError: the disk does not take it.
    """
    log = table / "_delta_log"
    commit = log / f"{version:020d}.json"
    data = [table / path for path in _added(commit)]
    top = root if version else root.parent
    sync([*data, *folders_to(data, top)])
    sync([commit, *sorted(log.glob(f"{version:020d}.checkpoint*.parquet")), log / "_last_checkpoint"])
    sync(folders_to([commit], top))


def _added(commit: Path) -> list[str]:
    if not commit.exists():
        return []
    actions = [orjson.loads(line) for line in commit.read_bytes().splitlines() if line]
    return [unquote(action["add"]["path"]) for action in actions if "add" in action]


def folders_to(files: list[Path], top: Path) -> list[Path]:
    """The folders that lead from `top`, itself included, to files below it; the deepest first."""
    found = {folder for file in files for folder in file.parents if folder == top or top in folder.parents}
    return sorted(found, key=lambda folder: len(folder.parts), reverse=True)


def sync(paths: list[Path]) -> None:
    """Put files and folders on the disk, in this order; those that are gone are passed over."""
    for path in paths:
        try:
            file = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            os.fsync(file)
        finally:
            os.close(file)
