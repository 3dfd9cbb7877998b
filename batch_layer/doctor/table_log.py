"""The log of one table, replayed from its files: which versions can be opened, and of which data files each is made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from batch_layer.doctor.commit_file import EMPTY, Actions, BrokenFile, read_checkpoint, read_commit

_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\.parquet")
_NUMBERED = re.compile(r"\.?(\d{20})\..*")  # with a dot in front: what other engines keep beside a file


@dataclass(slots=True)
class DataFile:
    """A data file, part of the table from version `added` on and up to `removed`, exclusive; None: up to the head.

    One that `may_be_older` may have rows that had been part of the table before: it was compacted or brought back, or
    the commit that added it is gone.
    """

    path: str
    size_bytes: int
    added: int
    removed: int | None = None
    may_be_older: bool = False

    def is_part_of(self, version: int) -> bool:
        """Whether that version of the table is made of it."""
        return self.added <= version and (self.removed is None or version < self.removed)


class TableLog:
    """A table's log as its files tell it.

    Readers pass over an empty commit. That is no fault where the next one, a RESTORE, brings all back that it may have
    changed, nor in the middle of a table that is only appended to, where nothing is missing but its own rows. Its own
    version cannot be opened.

    Attributes:
        folder: The table's folder.
        head: The highest version that there is a file of; -1 where there is none.
        broken_commits: Version to why its commit cannot be read, as the end of a sentence.
        broken_checkpoints: Version to why its checkpoint cannot be read.
        files: The data files of all versions that can be opened.
        metadata: The newest `metaData` action that can be read.
        protocol: The newest `protocol` action that can be read.
    """

    def __init__(self, folder: Path, *, append_only: bool = False) -> None:
        self.folder = folder
        self._append_only = append_only
        self.broken_commits: dict[int, str] = {}
        self.broken_checkpoints: dict[int, str] = {}
        self.files: list[DataFile] = []
        self.metadata: dict[str, Any] = {}
        self.protocol: dict[str, Any] = {}
        self._parts: dict[str, DataFile] = {}
        self._openable: set[int] = set()
        self._checkpoints = self._read_checkpoints()
        commits = self._read_commits()
        self.head = max([*commits, *self.broken_commits, *self._checkpoints, *self.broken_checkpoints], default=-1)
        self._replay(commits)

    @property
    def log_folder(self) -> Path:
        """The folder of the commits."""
        return self.folder / "_delta_log"

    @property
    def hint(self) -> Path:
        """The file by which readers find the newest checkpoint."""
        return self.log_folder / "_last_checkpoint"

    @property
    def hint_is_broken(self) -> bool:
        """Whether there is a hint that leads to no checkpoint."""
        return self.hint.exists() and self.hinted not in {*self._checkpoints, *self.broken_checkpoints}

    @property
    def hinted(self) -> int | None:
        """The version that the hint leads to; None where there is none."""
        try:
            hint = orjson.loads(self.hint.read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return None
        version = hint.get("version") if isinstance(hint, dict) else None
        return version if isinstance(version, int) else None

    @property
    def is_broken(self) -> bool:
        """Whether something of the log cannot be read, so that readers may stop, or worse, go on."""
        return bool(self.broken_commits or self.broken_checkpoints or self.hint_is_broken)

    @property
    def newest_openable(self) -> int:
        """The highest version that can be opened; -1 where none can."""
        return max(self._openable, default=-1)

    def opens(self, version: int) -> bool:
        """Whether that version is there, and the log is whole up to it."""
        return version in self._openable

    def commit_path(self, version: int) -> Path:
        """Where a version's commit is, or should be."""
        return self.log_folder / f"{version:020d}.json"

    def checkpoint_path(self, version: int) -> Path:
        """Where a version's checkpoint is."""
        return self.log_folder / f"{version:020d}.checkpoint.parquet"

    def built_on(self, version: int) -> list[Path]:
        """What stands beside the commits of a version and of later ones, the highest first; after what leads there."""
        matches = [_NUMBERED.fullmatch(path.name) for path in self.log_folder.iterdir()]
        numbered = sorted(((int(match.group(1)), match.group()) for match in matches if match), reverse=True)
        commits = {self.commit_path(number) for number, _ in numbered}
        beside = [self.log_folder / name for number, name in numbered if number >= version]
        found = [path for path in beside if path not in commits]
        leads_there = self.hint.exists() and self.hinted not in range(version)
        return [self.hint, *found] if leads_there else found

    def _read_checkpoints(self) -> dict[int, Actions]:
        found = {}
        for version, path in self._numbered(_CHECKPOINT):
            try:
                found[version] = read_checkpoint(path)
            except BrokenFile as error:
                self.broken_checkpoints[version] = str(error)
        return found

    def _read_commits(self) -> dict[int, Actions]:
        found = {}
        newest = max((version for version, _ in self._numbered(_COMMIT)), default=-1)
        for version in range(newest + 1):  # by name: a listing may miss what is committed while it is made
            try:
                found[version] = read_commit(self.log_folder / f"{version:020d}.json")
            except FileNotFoundError:
                continue
            except BrokenFile as error:
                self.broken_commits[version] = str(error)
        return found

    def _numbered(self, pattern: re.Pattern[str]) -> list[tuple[int, Path]]:
        paths = self.log_folder.iterdir() if self.log_folder.is_dir() else []
        matches = [(pattern.fullmatch(path.name), path) for path in paths]
        return sorted((int(match.group(1)), path) for match, path in matches if match)

    def _replay(self, commits: dict[int, Actions]) -> None:
        passed_over = self._passed_over(commits)
        newest_checkpoint = max(self._checkpoints, default=-1)
        whole = True
        for version in range(self.head + 1):
            if version in commits and whole:
                self._apply(version, commits[version])
            elif version in self._checkpoints:
                self._end_parts(version)
                self._apply(version, self._checkpoints[version])
                whole = True
            elif version not in passed_over:
                self._end_parts(version)
                whole = False
                if version not in commits and version > newest_checkpoint:
                    self.broken_commits.setdefault(version, "is missing")

    def _passed_over(self, commits: dict[int, Actions]) -> set[int]:
        """Take the empty commits out of the broken ones that are no fault."""
        found: set[int] = set()
        for version in sorted(self.broken_commits, reverse=True):
            after = commits.get(version + 1)
            goes_on = after is not None and (self._append_only or after.operation == "RESTORE")
            if self.broken_commits[version] == EMPTY and (goes_on or version + 1 in found):
                found.add(version)
                del self.broken_commits[version]
        return found

    def _apply(self, version: int, actions: Actions) -> None:
        for path in actions.removed:
            self._end_part(path, version)
        for path, size_bytes in actions.added.items():
            self._end_part(path, version)
            self._parts[path] = DataFile(path, size_bytes, version, may_be_older=actions.operation != "WRITE")
            self.files.append(self._parts[path])
        self.metadata = actions.metadata or self.metadata
        self.protocol = actions.protocol or self.protocol
        self._openable.add(version)

    def _end_parts(self, version: int) -> None:
        for path in list(self._parts):
            self._end_part(path, version)

    def _end_part(self, path: str, version: int) -> None:
        part = self._parts.pop(path, None)
        if part is not None:
            part.removed = version
