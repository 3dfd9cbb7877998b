"""The history of a lake: which publication took a trade in, and how far event time had come by each of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple

import numpy as np
import orjson
import polars as pl

from twofold.lake import Lake
from twofold.lane import at_least
from twofold.publication import PUBLICATIONS, Publication
from twofold.records import Lost
from twofold.watermark import watermarks_us

NEVER = -(2**63)
"""The watermark, UTC microseconds, of a venue that has none."""

_COLUMNS = ["sequence", "cut", "witnesses", "lost"]


class _Row(NamedTuple):
    """Of one publication: its number, cut and watermarks, and what was lost to it."""

    sequence: int
    cut: dict[str, int]
    watermarks: dict[str, int]
    lost: list[Lost]


@dataclass(frozen=True)
class History:
    """What the publications say that what is public came of, in their order: without those that were gone back from.

    Attributes:
        sequences: The number of each.
        given_up: Those of which nothing is made again.
        cuts: For each lane its cut in each publication, which never goes back.
        watermarks: For each venue its watermark in each publication, UTC microseconds, from the state before the first.
        lost: What retention took from under all of them.
    """

    sequences: np.ndarray
    given_up: frozenset[int]
    cuts: Mapping[str, np.ndarray]
    watermarks: Mapping[str, np.ndarray]
    lost: Sequence[Lost]

    def taken_in_by(self, lanes: pl.Series, offsets: pl.Series) -> pl.Series:
        """Which of the publications took in each record, counted from 1; one past the last, where none has."""
        found = np.full(len(lanes), len(self.sequences) + 1, dtype=np.int64)
        for lane, rows in _places(lanes):
            if (cuts := self.cuts.get(lane)) is not None:
                found[rows] = cuts.searchsorted(offsets.to_numpy()[rows], side="right") + 1
        return pl.Series("taken_in_by", found)

    def watermarks_before(self, venues: pl.Series, taken_in_by: pl.Series) -> pl.Series:
        """The watermark of each venue, UTC microseconds, before one of the publications; `NEVER` without one."""
        found = np.full(len(venues), NEVER, dtype=np.int64)
        for venue, rows in _places(venues):
            if (marks := self.watermarks.get(venue)) is not None:
                found[rows] = marks[taken_in_by.to_numpy()[rows] - 1]
        return pl.Series("watermark_before", found)

    def sequences_before(self, taken_in_by: pl.Series) -> pl.Series:
        """The number of the publication before one of them; 0 before the first."""
        numbers = np.concatenate([[0], self.sequences]).astype(np.int64)
        return pl.Series("sequence_before", numbers[taken_in_by.to_numpy() - 1])

    def first_past(self, positions: Mapping[str, int]) -> int | None:
        """The number of the first publication not given up whose cut has reached some positions, if there is one."""
        place = 0
        for lane, offset in positions.items():
            if offset > 0:
                cuts = self.cuts.get(lane)
                if cuts is None:
                    return None
                place = max(place, int(cuts.searchsorted(offset, side="left")))
        past = map(int, self.sequences[place:])
        return next((sequence for sequence in past if sequence not in self.given_up), None)


class HistoryReader:
    """Reads the history of a lake, and next time only what was added. Many may ask at once."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._rows: list[_Row] = []
        self._history = _history([], ())
        self._lock = Lock()

    def up_to(self, newest: Publication) -> History:
        """The history up to a publication, which no earlier call was past. No number ever is another publication's.

        Raises:
            LakeUnreachable: the publications cannot be read.
        """
        with self._lock:
            known = self._rows[-1].sequence if self._rows else 0
            if known < newest.sequence:
                self._rows += self._read(known, newest.sequence)
                self._history = _history(_line(self._rows), newest.given_up)
            return self._history

    def _read(self, after: int, newest: int) -> list[_Row]:
        bounds = self._lake.file_bounds(PUBLICATIONS.name, self._lake.open(PUBLICATIONS.name).version())
        files = bounds.filter(pl.col("max.sequence") > after)["file"].to_list()
        wanted = (pl.col("sequence") > after) & (pl.col("sequence") <= newest)
        rows = self._lake.read_files(PUBLICATIONS.name, files, _COLUMNS, wanted).sort("sequence")
        return [
            _Row(
                sequence,
                orjson.loads(cut),
                watermarks_us(orjson.loads(witnesses)),
                [Lost(**gap) for gap in orjson.loads(lost)],
            )
            for sequence, cut, witnesses, lost in rows.iter_rows()
        ]


def _line(rows: Iterable[_Row]) -> list[_Row]:
    """Those that what is public came of: a cut that lies before the one before it was gone back to."""
    line: list[_Row] = []
    for row in rows:
        while line and not at_least(row.cut, line[-1].cut):
            line.pop()
        line.append(row)
    return line


def _history(rows: list[_Row], given_up: Iterable[int]) -> History:
    lanes = {lane for row in rows for lane in row.cut}
    venues = {venue for row in rows for venue in row.watermarks}
    return History(
        np.array([row.sequence for row in rows], dtype=np.int64),
        frozenset(given_up),
        {lane: np.array([row.cut.get(lane, 0) for row in rows], dtype=np.int64) for lane in lanes},
        {venue: np.array([NEVER, *(row.watermarks.get(venue, NEVER) for row in rows)]) for venue in venues},
        [gap for row in rows for gap in row.lost],
    )


def _places(names: pl.Series) -> list[tuple[str, np.ndarray]]:
    """Each name and where it stands."""
    rows = names.to_frame("name").with_row_index("row").group_by("name").agg("row")
    return [(str(name), places.to_numpy()) for name, places in zip(rows["name"], rows["row"], strict=True)]
