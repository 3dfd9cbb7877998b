"""What a cycle added to a table: the rows of the files that one version has and the other has not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from twofold.lake import Lake, TableSpec

ROWS_AT_ONCE = 2_000_000
"""Rows that are looked at together, about."""


class Added(NamedTuple):
    """Data files, by their addresses.

    Attributes:
        added: Those that the later version has more.
        removed: Those that it has no longer, since it has their rows in others.
    """

    added: list[str]
    removed: list[str]


def added_to(lake: Lake, table: str, before: int | None, after: int | None) -> Added:
    """The files that tell two versions of a table apart; None: there is no such version, and no rows.

    Raises:
        LakeUnreachable: the table cannot be read.
    """
    had, has = (set() if version is None else set(lake.files(table, version)) for version in (before, after))
    return Added(sorted(has - had), sorted(had - has))


def rows_of(lake: Lake, spec: TableSpec, files: list[str], columns: list[str]) -> Iterator[pl.DataFrame]:
    """The rows of data files, in parts of `ROWS_AT_ONCE` or a file.

    Raises:
        LakeUnreachable: one cannot be read.
    """
    some: list[pl.DataFrame] = []
    for file in files:
        some.append(lake.read_files(spec.name, [file], columns))
        if sum(frame.height for frame in some) >= ROWS_AT_ONCE:
            yield pl.concat(some)
            some = []
    if some:
        yield pl.concat(some)
