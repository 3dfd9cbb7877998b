"""The difference between two editions of a view, row by row, as a table of the lake.

Both are taken at one publication. Their windows are compared at the least length that is a multiple of both grains, by
the keys that both have. Beside publications, as no answer is made of it, each pair has a table of its own, which is
written anew each time.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import polars as pl

from twofold.edition import Edition
from twofold.fold import coarsen, finished, merge
from twofold.lake import Lake, TableSpec, TableWriter
from twofold.publication import Publication

SERVED, BESIDE = "served", "beside"
BOTH = "both"

_US = timedelta(microseconds=1)


@dataclass
class Difference:
    """What two editions of a view differ in.

    Attributes:
        publication: The number of the publication that both were taken at.
        table: Where the rows are that differ.
        keys: What rows are compared by, beside their windows.
        interval: The length of these.
        measures: The columns that both have, in one type.
        apart: The other columns, by the edition that has them.
        equal: How many rows are equal in both.
        found: How many rows of the table are in `both`, and in one alone.
        differing: In how many rows each measure differs, of those in both.
    """

    publication: int
    table: str
    keys: tuple[str, ...]
    interval: timedelta
    measures: tuple[str, ...]
    apart: Mapping[str, tuple[str, ...]]
    equal: int = 0
    found: Counter[str] = field(default_factory=Counter)
    differing: Counter[str] = field(default_factory=Counter)

    @property
    def is_none(self) -> bool:
        """Whether all rows are equal."""
        return not self.found.total()


def compare(lake: Lake, publication: Publication, served: Edition, beside: Edition) -> Difference:
    """Compare two editions of a view, and write the rows that differ into a table.

    Its columns are the publication's `sequence`, the keys, `window_start`, `window_end`, `found` (`both`, or which of
    the two alone has the row), and for each measure its two values, `<measure>__served` and `<measure>__beside`. Files
    are parted by the UTC `day` of the window's start. It is whole once this has returned.

    Raises:
        Superseded: another comparison of these two is at work.
        ArithmeticOverflow: a sum left the range of its type.
        LakeUnreachable: a table cannot be read or written.
    """
    pair = _Pair(served, beside)
    spec = pair.spec
    writer = TableWriter(lake, spec)
    if writer.file_count():
        writer.replace(spec.schema.to_frame())
    difference = Difference(publication.sequence, spec.name, pair.keys, pair.interval, tuple(pair.measures), pair.apart)
    for day in pair.days(lake, publication):
        both = pair.joined(*(pair.rows(lake, publication, edition, day) for edition in (served, beside)))
        rows = both.filter(pl.any_horizontal(pl.col("found") != BOTH, *(_differs(name) for name in pair.measures)))
        difference.equal += both.height - rows.height
        difference.found.update(dict(rows["found"].value_counts().iter_rows()))
        in_both = rows.filter(pl.col("found") == BOTH)
        difference.differing.update({name: in_both.filter(_differs(name)).height for name in pair.measures})
        if rows.height:
            writer.append(rows.with_columns(sequence=pl.lit(publication.sequence, dtype=pl.Int64), day=pl.lit(day)))
    return difference


class _Pair:
    """Two editions, and what they can be compared by."""

    def __init__(self, served: Edition, beside: Edition) -> None:
        self._editions = (served, beside)
        one, other = served.view, beside.view
        self.keys = tuple(name for name in one.keys if name in other.keys)
        self.interval = math.lcm(one.window_us, other.window_us) * _US
        # Fewer keys and longer windows: partials of a view are partials of this one too, to be merged.
        self._views = {each.hash: replace(each.view, keys=self.keys, window=self.interval) for each in self._editions}
        self._group = [*self.keys, "window_start"]
        self.measures = {
            name: dtype for name, dtype in one.columns.items() if name in other.columns and other.columns[name] == dtype
        }
        self.apart = {
            state: tuple(name for name in view.columns if name not in self.measures)
            for state, view in ((SERVED, one), (BESIDE, other))
        }

    @property
    def spec(self) -> TableSpec:
        """The table of their differences."""
        served, beside = self._editions
        time = pl.Datetime("us", "UTC")
        columns: dict[str, pl.DataType] = {"sequence": pl.Int64(), **dict.fromkeys(self.keys, pl.String())}
        columns |= {"window_start": time, "window_end": time, "found": pl.String()}
        for name, dtype in self.measures.items():
            columns |= {_of(name, SERVED): dtype, _of(name, BESIDE): dtype}
        name = f"view_differences/{served.name}-{served.hash}-{beside.hash}"
        return TableSpec(name, pl.Schema({**columns, "day": pl.Date()}), ("day",))

    def days(self, lake: Lake, publication: Publication) -> Iterator[date]:
        """The days that either has rows of, in order."""
        tables = [(each.table, publication.tables[each.table]) for each in self._editions]
        days = pl.concat([lake.scan(*table).select("day") for table in tables]).unique().collect(engine="streaming")
        yield from days["day"].sort()

    def rows(self, lake: Lake, publication: Publication, edition: Edition, day: date) -> pl.DataFrame:
        """The rows of a day: group and measures."""
        view = self._views[edition.hash]
        partials = lake.scan(edition.table, publication.tables[edition.table]).filter(pl.col("day") == day)
        coarse = coarsen(partials.select(edition.view.partial_schema.names()), view.window_us).collect()
        return finished(view, merge(view, coarse)).select(*self._group, *self.measures)

    def joined(self, served: pl.DataFrame, beside: pl.DataFrame) -> pl.DataFrame:
        """The rows of both side by side, with `found`."""
        named = [
            rows.rename({name: _of(name, state) for name in self.measures}).with_columns(
                pl.lit(value=True).alias(f"in_{state}")
            )
            for state, rows in ((SERVED, served), (BESIDE, beside))
        ]
        joined = named[0].join(named[1], on=self._group, how="full", coalesce=True).sort(self._group)
        found = (
            pl.when(pl.col("in_beside").is_null())
            .then(pl.lit(SERVED))
            .when(pl.col("in_served").is_null())
            .then(pl.lit(BESIDE))
            .otherwise(pl.lit(BOTH))
        )
        end = pl.col("window_start") + self.interval
        return joined.with_columns(found=found, window_end=end).drop("in_served", "in_beside")


def _of(measure: str, state: str) -> str:
    return f"{measure}__{state}"


def _differs(measure: str) -> pl.Expr:
    return pl.col(_of(measure, SERVED)).ne_missing(pl.col(_of(measure, BESIDE)))
