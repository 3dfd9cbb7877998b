"""Durability: which files of a commit are on the disk when the call returns, and in which order they got there."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from unittest.mock import patch

import polars as pl
import pytest
from small_market import SmallMarket

from twofold.errors import LakeUnreachable
from twofold.lake import CHECKPOINT_EVERY, Lake, TableSpec, TableWriter
from twofold.publication import PUBLICATIONS

SPEC = TableSpec("views/by_day", pl.Schema({"n": pl.Int64(), "day": pl.Date()}), ("day",))
real_fsync = os.fsync


class Disk:
    """Everything that was synced, in order, relative to a folder; the real sync still runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.synced: list[str] = []

    def fsync(self, file: int) -> None:
        path = Path(f"/proc/self/fd/{file}").resolve() if Path("/proc/self/fd").is_dir() else self._find(file)
        self.synced.append(path.relative_to(self._folder).as_posix())
        real_fsync(file)

    def take(self) -> list[str]:
        """What was synced since the last time."""
        taken, self.synced = self.synced, []
        return taken

    def _find(self, file: int) -> Path:
        wanted = os.fstat(file).st_ino
        return next(path for path in [self._folder, *self._folder.rglob("*")] if path.stat().st_ino == wanted)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(tmp_path.resolve())
    monkeypatch.setattr(os, "fsync", disk.fsync)
    return disk


def rows(*days: int) -> pl.DataFrame:
    return pl.DataFrame({"n": list(days), "day": [date(2024, 8, day) for day in days]}, schema=SPEC.schema)


def data_files(lake: Lake) -> set[str]:
    return {path.relative_to(Path(lake.root).parent).as_posix() for path in Path(lake.root).rglob("*.snappy.parquet")}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def writer(lake: Lake, disk: Disk) -> TableWriter:
    writer = TableWriter(lake, SPEC)
    disk.take()
    return writer


def test_a_new_table_is_synced_up_to_where_the_lake_lies(lake: Lake, disk: Disk) -> None:
    TableWriter(lake, SPEC)
    log = "lake/views/by_day/_delta_log"
    assert disk.take() == [f"{log}/{0:020d}.json", log, "lake/views/by_day", "lake/views", "lake", "."]


def test_an_append_is_synced_data_first_and_its_commit_last(lake: Lake, writer: TableWriter, disk: Disk) -> None:
    writer.append(rows(8, 9))
    synced = disk.take()
    commit = "lake/views/by_day/_delta_log/00000000000000000001.json"
    assert set(synced[:2]) == data_files(lake)
    assert set(synced[2:4]) == {"lake/views/by_day/day=2024-08-08", "lake/views/by_day/day=2024-08-09"}
    folders = ["lake/views/by_day", "lake/views", "lake"]
    assert synced[4:] == [*folders, commit, "lake/views/by_day/_delta_log", *folders]


def test_only_what_a_commit_added_is_synced(lake: Lake, writer: TableWriter, disk: Disk) -> None:
    writer.append(rows(8))
    old = data_files(lake)
    disk.take()
    writer.replace(rows(9))
    assert data_files(lake) & set(disk.take()) == data_files(lake) - old


def test_a_restore_is_synced(writer: TableWriter, disk: Disk) -> None:
    writer.append(rows(8))
    disk.take()
    writer.bring_back(0)
    assert "lake/views/by_day/_delta_log/00000000000000000002.json" in disk.take()


def test_a_checkpoint_is_synced_with_the_commit_that_it_is_of(writer: TableWriter, disk: Disk) -> None:
    for _ in range(CHECKPOINT_EVERY - 1):
        writer.append(rows())
    disk.take()
    writer.append(rows())
    log = "lake/views/by_day/_delta_log"
    commit = f"{CHECKPOINT_EVERY:020d}"
    names = [f"{log}/{commit}.json", f"{log}/{commit}.checkpoint.parquet", f"{log}/_last_checkpoint", log]
    assert [path for path in disk.take() if path.startswith(log)] == names


def test_the_head_that_a_writer_starts_from_is_synced_before_anything_is_built_on_it(
    lake: Lake, writer: TableWriter, disk: Disk
) -> None:
    writer.append(rows(8))
    disk.take()
    TableWriter(lake, SPEC)
    synced = set(disk.take())
    assert data_files(lake) | {"lake/views/by_day/_delta_log/00000000000000000001.json"} <= synced


def test_a_writer_starts_also_where_a_data_file_of_the_head_is_gone(lake: Lake, writer: TableWriter) -> None:
    writer.append(rows(8))
    (Path(lake.root).parent / data_files(lake).pop()).unlink()
    TableWriter(lake, SPEC).bring_back(None)


def test_what_a_publication_names_is_on_the_disk_before_the_publication_is_committed(tmp_path: Path) -> None:
    market = SmallMarket(tmp_path)
    market.trade("10:00:00")
    market.poison()
    disk = Disk(tmp_path.resolve())
    seen: list[set[str]] = []
    real_append = TableWriter.append

    def append(writer: TableWriter, frame: pl.DataFrame) -> None:
        if writer.spec is PUBLICATIONS:
            seen.append(set(disk.synced))
        real_append(writer, frame)

    with patch.object(os, "fsync", disk.fsync), patch.object(TableWriter, "append", append):
        publication = market.cycle()
    named = [f"lake/{table}/_delta_log/{version:020d}.json" for table, version in publication.tables.items()]
    data = {path for path in data_files(market.lake) if not path.startswith("lake/publications")}
    assert {*named, *data} <= seen[0]


def test_a_disk_that_does_not_take_it_fails_the_commit(writer: TableWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(LakeUnreachable, match=r"'views/by_day' cannot be written.*Input/output error"):
        writer.append(rows(8))


def test_an_object_store_is_left_to_itself(lake: Lake, writer: TableWriter, disk: Disk) -> None:
    with patch.object(Lake, "is_local", new=False):
        writer.append(rows(8))
    assert disk.take() == []
    assert data_files(lake)
