"""What the lake took in: rows of `trades` and `raw` by the publications that brought them, and few files read for it.

Both tables only grow, so that the newest publication has every row that any before it had: a row is a publication's if
it lies below that one's cut. No older version is needed, which may be vacuumed by now.
"""

from __future__ import annotations

from functools import cached_property, lru_cache

import polars as pl

from twofold.errors import LakeUnreachable
from twofold.gap_log import gap_lives
from twofold.lake import Lake, TableSpec
from twofold.lane import Positions
from twofold.ledger import MARKET
from twofold.publication import Publication
from twofold.tables import GAP_LOG, LEDGER

_VERSIONS = 256
"""Versions of tables whose files are remembered."""


class TakenIn:
    """The rows of tables that only grow, as of the newest publication. Many may ask at once.

    What Delta's log says of a version is asked once, and so are the markets and the gaps that there ever were.
    """

    def __init__(self, lake: Lake, newest: Publication) -> None:
        self.lake = lake
        self.newest = newest
        self._files = lru_cache(maxsize=_VERSIONS)(lake.files)
        self._bounds = lru_cache(maxsize=_VERSIONS)(lake.file_bounds)

    def bounds(self, table: TableSpec) -> pl.DataFrame | None:
        """What Delta's log says of the table's data files; None where there are none."""
        version = self.newest.tables.get(table.name)
        bounds = None if version is None else self._bounds(table.name, version)
        return None if bounds is None or bounds.is_empty() else bounds

    @cached_property
    def markets(self) -> pl.DataFrame:
        """Venue and symbol of every market."""
        return self._rows(LEDGER).select(MARKET).unique().collect()

    @cached_property
    def gap_lives(self) -> pl.DataFrame:
        """The open gaps that there ever were, as `twofold.gap_log.gap_lives` gives them."""
        return gap_lives(self._rows(GAP_LOG).collect())

    def _rows(self, table: TableSpec) -> pl.LazyFrame:
        version = self.newest.tables.get(table.name)
        return table.schema.to_frame().lazy() if version is None else self.lake.scan(table.name, version)

    def between(
        self,
        table: TableSpec,
        after: Publication,
        up_to: Publication,
        columns: list[str],
        where: pl.Expr | None = None,
    ) -> pl.DataFrame:
        """The rows that came after one publication, and with another or before it."""
        files = self._files_between(table, after, up_to)
        if not files:
            return table.schema.to_frame().select(columns)
        came = ~is_below(after.cut) & is_below(up_to.cut)
        return self.lake.read_files(table.name, files, columns, came if where is None else came & where)

    def _files_between(self, table: TableSpec, after: Publication, up_to: Publication) -> list[str]:
        """The files that hold those rows: what one version has more than the other, while both can be told."""
        if table.name not in self.newest.tables:
            return []
        there = set(self._files(table.name, self.newest.tables[table.name]))
        try:
            before, then = (
                set(self._files(table.name, each.tables[table.name])) if table.name in each.tables else set()
                for each in (after, up_to)
            )
        except LakeUnreachable:  # the log of old versions is gone
            return self._files_by_offset(table, after, up_to)
        return sorted(then - before) if then <= there else self._files_by_offset(table, after, up_to)

    def _files_by_offset(self, table: TableSpec, after: Publication, up_to: Publication) -> list[str]:
        """The files that may hold them by the offsets that Delta's log says they have: these have been compacted."""
        moved = [(after.cut.get(lane, 0), end) for lane, end in up_to.cut.items() if end > after.cut.get(lane, 0)]
        bounds = self.bounds(table)
        if bounds is None or not moved:
            return []
        first, end = min(first for first, _ in moved), max(end for _, end in moved)
        return sorted(files_within(bounds, "offset", first, end)["file"])


def is_below(cut: Positions) -> pl.Expr:
    """The rows that lie below a cut, by their `lane` and `offset`."""
    beginning = pl.lit(0, dtype=pl.Int64)
    if not cut:
        return pl.col("offset") < beginning
    return pl.col("offset") < pl.col("lane").replace_strict(dict(cut), default=beginning, return_dtype=pl.Int64)


STATED_TO_US = 1_000
"""Writers of Delta's log may cut times off to milliseconds."""


def files_within(bounds: pl.DataFrame, column: str, first: int | None, end: int | None) -> pl.DataFrame:
    """The files that may have rows whose `column`, a number or time, is from `first`, inclusive, to `end`, exclusive.

    Files of which the log does not say so may.
    """
    least, most = f"min.{column}", f"max.{column}"
    if least not in bounds.columns or most not in bounds.columns:
        return bounds
    may = pl.lit(value=True)
    if first is not None:
        may &= (pl.col(most).to_physical() + STATED_TO_US > first).fill_null(value=True)
    if end is not None:
        may &= (pl.col(least).to_physical() < end).fill_null(value=True)
    return bounds.filter(may)
