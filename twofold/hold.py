"""Holds: cycles that failed their checks and were not published, each with where its records are kept.

A hold is about the records between two positions of some lanes. It is open while the newest publication stands where
the first of them is: whatever takes the cut past them settles it, so that hold and publications cannot disagree. Its
records are whole in the version of `raw` that it names, though no publication has that version.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from twofold.errors import LakeUnreachable
from twofold.lake import Lake, TableSpec, TableWriter
from twofold.lane import Lane, Positions, at_least, positions_from_json, positions_to_json
from twofold.log_identity import LogIdentity
from twofold.publication import Publication
from twofold.quality import Quality
from twofold.records import Lost

HOLDS = TableSpec(
    "holds",
    pl.Schema(
        {
            "number": pl.Int64(),
            "held_at": pl.Datetime("us", "UTC"),
            "parent": pl.Int64(),
            "begins": pl.String(),
            "cut": pl.String(),
            "records": pl.Int64(),
            "raw_version": pl.Int64(),
            "lost": pl.String(),
            "cluster_id": pl.String(),
            "topic_id": pl.String(),
            "epochs": pl.String(),
            "quality": pl.String(),
            "failing": pl.String(),
        }
    ),
)
"""Columns of the table of holds, which stands outside of publications; those that hold a mapping or list are JSON."""


class Failing(NamedTuple):
    """Trades of one symbol in one lane that failed a check: how many, and the first and last of their offsets."""

    lane: str
    symbol: str
    first_offset: int
    last_offset: int
    trades: int


@dataclass(frozen=True)
class Hold:
    """A cycle that is held.

    Attributes:
        number: The version of the table of holds that adds it.
        held_at: When, UTC.
        parent: The publication that the cycle went on from.
        begins: Where its records begin, for each lane that it has some of.
        cut: Where they end, exclusive.
        records: How many there are.
        raw_version: The version of `raw` that has them.
        lost: What retention took from under the cycle.
        log: Which log they were read from.
        quality: What was checked, and found.
        failing: The trades that failed a check, by symbol and lane.
    """

    number: int
    held_at: datetime
    parent: int
    begins: Positions
    cut: Positions
    records: int
    raw_version: int
    lost: tuple[Lost, ...] = ()
    log: LogIdentity = field(default_factory=LogIdentity)
    quality: Quality = field(default_factory=Quality)
    failing: tuple[Failing, ...] = ()

    @property
    def is_of_log(self) -> bool:
        """Whether its records are the event log's, and not of an import."""
        return not all(Lane.parse(lane).is_import for lane in self.cut)

    def is_open(self, publication: Publication) -> bool:
        """Whether its records wait, as a publication has it: nothing has taken them in, and their log is still read."""
        if any(publication.cut.get(lane, 0) != offset for lane, offset in self.begins.items()):
            return False
        still_open = publication.log.open_lanes({**publication.cut, **self.cut})
        return all(lane in still_open or Lane.parse(lane).is_import for lane in self.cut)

    def is_settled(self, publication: Publication) -> bool:
        """Whether its records are below a publication's cut."""
        return at_least(publication.cut, self.cut)

    def row(self) -> dict[str, Any]:
        """This hold as a row of the table."""
        return {
            "number": self.number,
            "held_at": self.held_at,
            "parent": self.parent,
            "begins": positions_to_json(self.begins),
            "cut": positions_to_json(self.cut),
            "records": self.records,
            "raw_version": self.raw_version,
            "lost": orjson.dumps(self.lost).decode(),
            "cluster_id": self.log.cluster_id,
            "topic_id": self.log.topic_id,
            "epochs": positions_to_json(self.log.epochs),
            "quality": self.quality.to_json(),
            "failing": orjson.dumps([list(each) for each in self.failing]).decode(),
        }

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Hold:
        """Read a row of the table."""
        return cls(
            number=row["number"],
            held_at=row["held_at"],
            parent=row["parent"],
            begins=positions_from_json(row["begins"]),
            cut=positions_from_json(row["cut"]),
            records=row["records"],
            raw_version=row["raw_version"],
            lost=tuple(Lost(**each) for each in orjson.loads(row["lost"])),
            log=LogIdentity(row["cluster_id"], row["topic_id"], orjson.loads(row["epochs"])),
            quality=Quality.from_json(row["quality"]),
            failing=tuple(Failing(*each) for each in orjson.loads(row["failing"])),
        )


class Holds:
    """A reader of the table of holds. Looking for news is cheap when there is none."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._table: DeltaTable | None = None
        self._read: tuple[Hold, ...] = ()
        self._read_version = -1

    def all(self) -> tuple[Hold, ...]:
        """Every hold that there ever was, by number.

        Raises:
            LakeUnreachable: the table cannot be read.
        """
        if self._table is None:
            if not self._lake.exists(HOLDS.name):
                return ()
            self._table = self._lake.open(HOLDS.name)
        elif self._lake.may_be_past(HOLDS.name, self._table.version()):
            self._update(self._table)
        if self._table.version() != self._read_version:
            try:
                rows = pl.scan_delta(self._table).sort("number").collect()
            except (DeltaError, OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
                raise LakeUnreachable(f"Table {HOLDS.name!r} cannot be read: {error}.") from error
            self._read = tuple(Hold.from_row(row) for row in rows.iter_rows(named=True))
            self._read_version = self._table.version()
        return self._read

    def open_on(self, publication: Publication) -> tuple[Hold, ...]:
        """Those that are open as a publication has it; of one stretch of records the newest.

        Raises:
            LakeUnreachable: the table cannot be read.
        """
        newest = {tuple(sorted(hold.begins)): hold for hold in self.all() if hold.is_open(publication)}
        return tuple(newest.values())

    @staticmethod
    def _update(table: DeltaTable) -> None:
        try:
            table.update_incremental()
        except DeltaError as error:
            raise LakeUnreachable(f"Table {HOLDS.name!r} cannot be read: {error}.") from error


def keep_hold(lake: Lake, hold: Hold) -> Hold:
    """Add a hold to the table; gives it with its number.

    Raises:
        Superseded: another cycle was held at the same time.
    """
    writer = TableWriter(lake, HOLDS)
    numbered = replace(hold, number=writer.version + 1)
    writer.append(pl.DataFrame([numbered.row()], schema=HOLDS.schema))
    return numbered


def kept_version(holds: Iterable[Hold]) -> int | None:
    """The least version of `raw` that open holds need; None where there is none."""
    return min((hold.raw_version for hold in holds), default=None)
