"""The lake: Delta tables under one root, read at exact versions and written on exact parents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import polars as pl
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from twofold.durability import make_durable
from twofold.errors import FeatureForeign, LakeUnreachable, Superseded

READER_VERSION, WRITER_VERSION = 1, 2
"""The Delta protocol that tables keep to: what every engine reads and writes."""

CHECKPOINT_EVERY = 50
"""Commits between checkpoints, so that opening a table stays quick however many commits it has."""


class _Commit(TypedDict):
    commit_properties: CommitProperties
    post_commithook_properties: PostCommitHookProperties


_ON_PARENT = _Commit(
    commit_properties=CommitProperties(max_commit_retries=0),
    post_commithook_properties=PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False),
)


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A table's name under the lake's root, its columns, and the columns that its files are parted by."""

    name: str
    schema: pl.Schema
    partition_by: tuple[str, ...] = ()


class Lake:
    """Delta tables under one root: a folder or an object store address."""

    def __init__(self, root: str) -> None:
        self.root = root if "://" in root else str(Path(root).resolve())

    @property
    def is_local(self) -> bool:
        """Whether the lake is a folder of this machine."""
        return "://" not in self.root

    def address(self, table: str) -> str:
        """Where a table is."""
        return f"{self.root}/{table}"

    def exists(self, table: str) -> bool:
        """Whether a table has been created."""
        with _reading(table):
            return DeltaTable.is_deltatable(self.address(table))

    def open(self, table: str, version: int | None = None) -> DeltaTable:
        """A handle on a table at a version, or at its head.

        Raises:
            LakeUnreachable: there is no such table or version, or it cannot be read.
        """
        with _reading(table):
            return DeltaTable(self.address(table), version=version)

    def look_for(self, table: str) -> None:
        """Make sure that the folder of a table that was there still is; a handle on it does not notice by itself.

        Raises:
            LakeUnreachable: it is gone.
        """
        if self.is_local and not Path(self.address(table)).is_dir():
            raise LakeUnreachable(
                f"The folder of table {table!r} is gone from {self.root}. Look whether it is mounted."
            )

    def birth(self, table: str) -> object:
        """What tells a table in a folder from one that was made anew in its place: its first commit as a file."""
        if not self.is_local:
            return None
        with _reading(table):
            found = Path(self.address(table), "_delta_log", f"{0:020}.json").stat()
        return found.st_ino, found.st_mtime_ns

    def may_be_past(self, table: str, version: int) -> bool:
        """Whether a table may have a version after that one; in a folder a look tells, which costs next to nothing."""
        return not self.is_local or Path(self.address(table), "_delta_log", f"{version + 1:020}.json").exists()

    def scan(self, table: str, version: int) -> pl.LazyFrame:
        """The rows of a table at exactly that version."""
        with _reading(table):
            return pl.scan_delta(self.open(table, version))

    def read_files(
        self, table: str, files: list[str], columns: list[str], where: pl.Expr | None = None
    ) -> pl.DataFrame:
        """Columns, other than those that files are parted by, of some of the data files of a table.

        Args:
            table: its name.
            files: the addresses of the files.
            columns: which are wanted.
            where: which rows are, all of them by default.
        """
        with _reading(table):
            rows = pl.scan_parquet(files)
            return (rows if where is None else rows.filter(where)).select(columns).collect()

    def files(self, table: str, version: int) -> list[str]:
        """The addresses of the data files that make up a table at that version."""
        return list(self.open(table, version).file_uris())

    def file_bounds(self, table: str, version: int) -> pl.DataFrame:
        """What Delta's log says of each data file of an unparted table: `file`, `num_records`, `min.x` and `max.x`."""
        with _reading(table):
            added = pl.DataFrame(self.open(table, version).get_add_actions(flatten=True))
        return added.with_columns(file=pl.lit(f"{self.address(table)}/") + pl.col("path"))


class TableWriter:
    """Writes to one table, each commit on exactly the parent that the writer knows; it starts from the head.

    On a local lake a commit is on the disk before the call returns. So is the head that a writer starts from: whoever
    wrote it may have been killed before it was.
    """

    def __init__(self, lake: Lake, spec: TableSpec) -> None:
        self.spec = spec
        self._lake = lake
        self._table = _created(lake, spec)
        _refuse_foreign_features(self._table, spec.name)
        self._make_durable()

    def bring_back(self, published: int | None) -> None:
        """Drop what was written after the published version (None: nothing was published yet) and never published.

        The published content becomes the head, as a new version; published versions are never touched. Where the log
        does not reach back to the first version, which was empty, an empty one is written.

        Raises:
            Superseded: someone else has committed to the table since this writer looked.
        """
        wanted = 0 if published is None else published
        parent = self.version
        if parent != wanted:
            if published is None and not self._opens(wanted):
                self.replace(self.spec.schema.to_frame())
                return
            with _committing(self.spec.name):
                self._table.restore(wanted, **_ON_PARENT)
            self._check_parent(parent)
            self._make_durable()

    @property
    def version(self) -> int:
        """The version of the table that holds all that this writer has written."""
        return int(self._table.version())

    def rows(self) -> pl.LazyFrame:
        """The rows as this writer sees them."""
        return pl.scan_delta(self._table)

    def file_count(self, partition: str = "") -> int:
        """How many data files make up the table, or a partition of it such as `day=2024-08-09`."""
        return sum(partition in address for address in self._table.file_uris())

    def append(self, frame: pl.DataFrame) -> None:
        """Add rows, in one commit.

        Raises:
            Superseded: someone else has committed to the table since this writer looked.
        """
        self._write(frame, None, replaces=False)

    def replace(self, frame: pl.DataFrame, where: str | None = None) -> None:
        """Replace all rows, or those of whole partitions that a predicate names, in one commit.

        Raises:
            Superseded: someone else has committed to the table since this writer looked.
        """
        self._write(frame, where, replaces=True)

    def compact(self, target_bytes: int) -> None:
        """Join small data files to some of about that size, in one commit if there are any; no row changes.

        Raises:
            Superseded: someone else has committed to the table since this writer looked.
        """
        parent = self.version
        with _committing(self.spec.name):
            self._table.optimize.compact(target_size=target_bytes, max_concurrent_tasks=1, **_ON_PARENT)
        if self.version != parent:
            self._check_parent(parent)
            self.settle()

    @property
    def address(self) -> str:
        """Where the table is, for an engine that writes to it by itself."""
        return self._lake.address(self.spec.name)

    def refresh(self) -> None:
        """See what an engine that writes by itself has committed; `settle` is to follow."""
        with _reading(self.spec.name):
            self._table.update_incremental()

    def commits(self, count: int) -> list[dict[str, Any]]:
        """The newest commits as the table's history has them, the newest first, with `version` and `userMetadata`."""
        with _reading(self.spec.name):
            return list(self._table.history(count))

    def settle(self) -> None:
        """Put the newest commit on the disk, with a checkpoint where one is due."""
        if self.version % CHECKPOINT_EVERY == 0:
            self._table.create_checkpoint()
        self._make_durable()

    def _write(self, frame: pl.DataFrame, where: str | None, *, replaces: bool) -> None:
        parent = self.version
        rows = frame.select(self.spec.schema.names())
        with _committing(self.spec.name):
            if replaces:
                write_deltalake(self._table, rows, mode="overwrite", predicate=where, **_ON_PARENT)
            else:
                write_deltalake(self._table, rows, mode="append", **_ON_PARENT)
        self._check_parent(parent)
        self.settle()

    def _opens(self, version: int) -> bool:
        try:
            self._lake.open(self.spec.name, version)
        except LakeUnreachable:
            return False
        return True

    def _make_durable(self) -> None:
        if self._lake.is_local:
            with _committing(self.spec.name):
                make_durable(Path(self._lake.root), Path(self._lake.address(self.spec.name)), self.version)

    def _check_parent(self, parent: int) -> None:
        if self.version != parent + 1:
            raise Superseded(
                f"Table {self.spec.name!r} went from version {parent} to {self.version} under one commit: another "
                "writer is at work. Nothing of this cycle is public; the next starts again from the newest publication."
            )


def _created(lake: Lake, spec: TableSpec) -> DeltaTable:
    if not lake.exists(spec.name):
        with _reading(spec.name):
            DeltaTable.create(
                lake.address(spec.name),
                schema=spec.schema.to_frame().to_arrow().schema,
                mode="ignore",
                partition_by=list(spec.partition_by) or None,
            )
    return lake.open(spec.name)


def _refuse_foreign_features(table: DeltaTable, name: str) -> None:
    protocol = table.protocol()
    versions = (protocol.min_reader_version, protocol.min_writer_version)
    if versions <= (READER_VERSION, WRITER_VERSION):
        return
    features = sorted({*(protocol.reader_features or ()), *(protocol.writer_features or ())})
    named = f"the features {', '.join(features)}" if features else "no features by name"
    raise FeatureForeign(
        f"Table {name!r} asks for Delta protocol reader {versions[0]} and writer {versions[1]}, with {named}. Tables "
        f"of a lake keep to reader {READER_VERSION} and writer {WRITER_VERSION}, which every engine knows. Drop the "
        "features with whatever turned them on (in Spark: ALTER TABLE … DROP FEATURE … TRUNCATE HISTORY)."
    )


@contextmanager
def _reading(table: str) -> Iterator[None]:
    try:
        yield
    except TableNotFoundError as error:
        raise LakeUnreachable(f"The lake has no table {table!r} where one is expected: {error}") from error
    except (DeltaError, OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise LakeUnreachable(
            f"Table {table!r} cannot be read: {error}. Look whether the lake's root is mounted and readable."
        ) from error


@contextmanager
def _committing(table: str) -> Iterator[None]:
    try:
        yield
    except CommitFailedError as error:
        raise Superseded(
            f"Another writer committed to table {table!r} first. Nothing of this cycle is public; "
            "the next cycle starts again from the newest publication."
        ) from error
    except (DeltaError, OSError) as error:
        raise LakeUnreachable(f"Table {table!r} cannot be written: {error}") from error
