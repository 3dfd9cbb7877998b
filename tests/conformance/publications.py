"""Publications as they stand in the lake, read as anyone may read a Delta table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable
from oracle import Positions


@dataclass(frozen=True)
class Published:
    """What one publication says of itself."""

    sequence: int
    cut: Positions
    tables: Mapping[str, int]
    accounts: Mapping[str, Mapping[str, int]]


def read_publications(lake: Path, after: int = 0) -> list[Published]:
    """All publications that came after one of them, first to last."""
    table = pl.read_delta(str(lake / "publications"), columns=["sequence", "cut", "tables", "accounts"])
    rows = table.filter(pl.col("sequence") > after).sort("sequence").iter_rows(named=True)
    return [_published(row) for row in rows]


def vacuum(lake: Path, newest: Published, *, full: bool) -> Iterator[str]:
    """Remove every file that the newest publication does not need, as an operator may between two cycles.

    Args:
        lake: the lake's root.
        newest: the newest publication.
        full: also files that no commit names.

    Yields:
        The files that are gone.
    """
    for name, version in newest.tables.items():
        table = DeltaTable(str(lake / name))
        yield from table.vacuum(
            retention_hours=0, dry_run=False, enforce_retention_duration=False, keep_versions=[version], full=full
        )


def _published(row: Mapping[str, Any]) -> Published:
    return Published(row["sequence"], *(json.loads(row[name]) for name in ("cut", "tables", "accounts")))
