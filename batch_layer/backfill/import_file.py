"""A file of an import: which import it is, by its content, and its rows as records of a lane of their own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

from batch_layer.backfill.parquet import MAGIC, ParquetRows
from batch_layer.backfill.rows import RowFile, Rows, TextRows
from twofold.clock import Clock, to_epoch_us
from twofold.errors import CaptureError, UnknownName
from twofold.lane import Lane
from twofold.records import RecordBatch
from twofold.settings import Settings
from twofold.source import Source
from twofold.sources.capture import Capture
from twofold.sources.message import source_headers
from twofold.sources.selection import select_source

_ID_BYTES = 10
_DAY = re.compile(r"(?<!\d)(\d{4})-?(\d{2})-?(\d{2})(?!\d)")


@dataclass(frozen=True)
class _Stamp:
    """What changes when a file does."""

    inode: int
    size_bytes: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> _Stamp:
        found = path.stat()
        return cls(found.st_ino, found.st_size, found.st_mtime_ns)


class ImportFile:
    """A file of trades of one source. Its lane is named by source and content: the same again is no other import.

    Args:
        path: a capture, NDJSON or Parquet; what it is is told by its content.
        settings: which sources there are.
        source: the name of the declared one; by default that of the file's format, as for a replay.

    Raises:
        CaptureError: the file cannot be read, or the source has another format.
        UnknownName: no source is called so.
    """

    def __init__(self, path: Path, settings: Settings, source: str | None = None) -> None:
        self.path = path
        self._rows = _opened(path)
        self.source = select_source(settings, self._rows.wire_format, source)
        self._declared: Source = settings.sources[self.source]
        self._stamp = _Stamp.of(path)

    @cached_property
    def lane(self) -> str:
        """The lane of the import. To find it takes reading the file once.

        Raises:
            CaptureError: the file cannot be read.
        """
        try:
            return str(Lane.of_import(_id_of(self.path, self.source)))
        except OSError as error:
            raise CaptureError(f"{self.path} cannot be read: {error.strerror}. Look at its disk.") from error

    @property
    def size_bytes(self) -> int:
        """How large it is."""
        return self._stamp.size_bytes

    @property
    def read_bytes(self) -> int:
        """How far into it the last given row was, about."""
        return self._rows.read_bytes

    def batches(self, first: int, size: int, clock: Clock) -> Iterator[RecordBatch]:
        """Its rows from that number on, about so many at once, as records that are logged by the clock.

        Raises:
            CaptureError: the file cannot be read to its end, or is not what it was any more.
        """
        for rows in self._rows.read(first, self._declared, size):
            if _Stamp.of(self.path) != self._stamp:
                raise CaptureError(
                    f"{self.path} was changed while it was read. What was taken in is of the file as it was; name the "
                    "file again to take it in as it is now: trades that come twice count once."
                )
            yield self._batch(rows, first, to_epoch_us(clock()) // 1000)
            first += len(rows.values)

    def _batch(self, rows: Rows, first: int, now_ms: int) -> RecordBatch:
        count = len(rows.values)
        plain: tuple[tuple[str, bytes | None], ...] = tuple(source_headers(self.source, self._declared))
        headers: list[tuple[tuple[str, bytes | None], ...]] = [
            plain if time_us is None else tuple(source_headers(self.source, self._declared, time_us))
            for time_us in rows.received_us
        ]
        return RecordBatch(
            lane=self.lane,
            offsets=list(range(first, first + count)),
            timestamps_ms=[now_ms] * count,
            keys=rows.keys,
            values=rows.values,
            headers=headers,
            next_offset=first + count,
        )


def find_files(paths: Iterable[Path], days: Iterable[date] = ()) -> list[Path]:
    """The files to take in, by the day in their names, then by name.

    Args:
        paths: files, and folders of which all files are meant.
        days: if there are any, only files whose name has one of them, as in 2024-08-09 or 20240809.

    Raises:
        CaptureError: there is no such file or folder, or none in it.
        UnknownName: no file has one of the days in its name.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise CaptureError(
                f"There is no file or folder {path}. Check the path; a relative one starts at {Path.cwd()}."
            )
        inside = (
            sorted(each for each in path.iterdir() if each.is_file() and each.name[0] != ".")
            if path.is_dir()
            else [path]
        )
        if not inside:
            raise CaptureError(f"The folder {path} has no files. Name one with files of trades.")
        found.update(dict.fromkeys(inside))
    ordered = sorted(found, key=lambda path: (day_of(path) or date.max, path.name))
    wanted = set(days)
    if missing := wanted - {day_of(path) for path in ordered}:
        there = {str(day) for path in ordered if (day := day_of(path))}
        raise UnknownName("file whose name has the day", str(min(missing)), there)
    return [path for path in ordered if not wanted or day_of(path) in wanted]


def day_of(path: Path) -> date | None:
    """The first day that stands in a file's name, if one does."""
    for year, month, day in _DAY.findall(path.name):
        try:
            return date(int(year), int(month), int(day))
        except ValueError:
            continue
    return None


def _opened(path: Path) -> RowFile:
    try:
        with path.open("rb") as file:
            is_parquet = file.read(len(MAGIC)) == MAGIC
    except OSError:
        is_parquet = False  # A capture says what is wrong with it.
    return ParquetRows(path) if is_parquet else TextRows(Capture(path))


def _id_of(path: Path, source: str) -> str:
    digest = blake2b(source.encode() + b"\0", digest_size=_ID_BYTES)
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
