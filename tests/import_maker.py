"""Files to import, and imports of them into a lake of a test's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from batch_layer.backfill.backfill import Backfill, Step
from batch_layer.backfill.import_file import ImportFile
from batch_layer.cycle import BatchCycle
from twofold.clock import Clock
from twofold.lake import Lake
from twofold.settings import Settings
from twofold.source import SHIPPED_SOURCES, Source

IMPORTED_AT = datetime(2024, 8, 10, 12, tzinfo=UTC)
"""When imports happen, unless said otherwise: the day after the small market's."""


def lines(path: Path, *values: bytes) -> Path:
    """A file with a value a line."""
    path.write_bytes(b"\n".join(values) + b"\n")
    return path


def import_file(path: Path, source: str | None = None, sources: Mapping[str, Source] = SHIPPED_SOURCES) -> ImportFile:
    """A file as it is imported where these sources are declared."""
    return ImportFile(path, Settings(sources=dict(sources)), source)


def take_in(
    file: ImportFile,
    lake: Lake,
    new_cycle: Callable[[], BatchCycle],
    chunk_records: int | None = None,
    clock: Clock = lambda: IMPORTED_AT,
) -> Sequence[Step]:
    """Take in all that is left of a file."""
    return list(Backfill(file, lake, new_cycle, chunk_records, clock).steps())
