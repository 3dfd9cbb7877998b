"""The history of a lake: which publication took a trade in, and how far event time had come by each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
import orjson
import polars as pl

from twofold.clock import to_epoch_us
from twofold.errors import PublicationUnknown
from twofold.lake import Lake
from twofold.publication import PUBLICATIONS, Publication
from twofold.records import Lost
from twofold.watermark import watermarks_us

NEVER = -(2**63)
"""The watermark, UTC microseconds, of a venue that has none."""

_COLUMNS = ["sequence", "published_at", "cut", "witnesses", "lost"]

_Row = tuple[int, dict[str, int], dict[str, int], list[Lost]]
"""Of one publication: when it was published, its cut, its watermarks, and what was lost."""


@dataclass(frozen=True)
class History:
    """What the publications from 1 to `length` say.

    Attributes:
        published_us: When each was published, UTC microseconds.
        cuts: For each lane its cut in each publication, which never goes back.
        watermarks: For each venue its watermark in each publication, UTC microseconds, from the state before the first.
        lost: What retention took from under all of them.
    """

    published_us: np.ndarray
    cuts: Mapping[str, np.ndarray]
    watermarks: Mapping[str, np.ndarray]
    lost: Sequence[Lost]

    @property
    def length(self) -> int:
        """How many publications there are; also the sequence of the newest."""
        return len(self.published_us)

    def taken_in_by(self, lanes: pl.Series, offsets: pl.Series) -> pl.Series:
        """The sequence of the publication that took in each record; one past the newest, where none has."""
        found = np.full(len(lanes), self.length + 1, dtype=np.int64)
        for lane, rows in _places(lanes):
            if (cuts := self.cuts.get(lane)) is not None:
                found[rows] = cuts.searchsorted(offsets.to_numpy()[rows], side="right") + 1
        return pl.Series("taken_in_by", found)

    def watermarks_before(self, venues: pl.Series, sequences: pl.Series) -> pl.Series:
        """The watermark of each venue, UTC microseconds, in the publication before a sequence; `NEVER` without one."""
        found = np.full(len(venues), NEVER, dtype=np.int64)
        for venue, rows in _places(venues):
            if (marks := self.watermarks.get(venue)) is not None:
                found[rows] = marks[sequences.to_numpy()[rows] - 1]
        return pl.Series("watermark_before", found)

    def first_past(self, positions: Mapping[str, int]) -> int | None:
        """The first publication whose cut has reached some positions, if there is one."""
        reached = [
            int(cuts.searchsorted(offset, side="left")) + 1 if (cuts := self.cuts.get(lane)) is not None else None
            for lane, offset in positions.items()
            if offset > 0
        ]
        found = max((each or self.length + 1 for each in reached), default=1)
        return found if found <= self.length else None


class HistoryReader:
    """Reads the history of a lake, and next time only what was added. Many may ask at once."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._rows: list[_Row] = []
        self._history = _history([])
        self._lock = Lock()

    def up_to(self, newest: Publication) -> History:
        """The history up to a publication.

        Raises:
            LakeUnreachable: the publications cannot be read.
            PublicationUnknown: one before it is missing.
        """
        with self._lock:
            if not self._is_of(newest):
                self._rows = self._read_on(newest.sequence)
                self._history = _history(self._rows)
            return self._history

    def _is_of(self, newest: Publication) -> bool:
        rows = self._rows
        if len(rows) != newest.sequence:
            return False
        return not rows or rows[-1][0] == to_epoch_us(newest.published_at)

    def _read_on(self, newest: int) -> list[_Row]:
        """What is known and what came after; all anew if the lake went back, and may have gone on otherwise."""
        if 0 < len(self._rows) <= newest:
            added = self._read(len(self._rows), newest)
            if added[0] == self._rows[-1]:
                return [*self._rows, *added[1:]]
        return self._read(1, newest)

    def _read(self, first: int, newest: int) -> list[_Row]:
        bounds = self._lake.file_bounds(PUBLICATIONS.name, self._lake.open(PUBLICATIONS.name).version())
        files = bounds.filter(pl.col("max.sequence") >= first)["file"].to_list()
        wanted = pl.col("sequence").is_between(first, newest)
        rows = self._lake.read_files(PUBLICATIONS.name, files, _COLUMNS, wanted).sort("sequence")
        if rows["sequence"].to_list() != list(range(first, newest + 1)):
            raise PublicationUnknown(
                f"The lake at {self._lake.root} lacks publications between {first} and {newest}, so that it cannot be "
                "told which of them took a trade in. Look at it with `twofold doctor`."
            )
        cuts, witnesses = map(orjson.loads, rows["cut"]), map(orjson.loads, rows["witnesses"])
        published_us = rows["published_at"].to_physical().to_list()
        lost = ([Lost(**gap) for gap in orjson.loads(text)] for text in rows["lost"])
        return list(zip(published_us, cuts, map(watermarks_us, witnesses), lost, strict=True))


def _history(rows: list[_Row]) -> History:
    lanes = {lane for _, cut, *_ in rows for lane in cut}
    venues = {venue for _, _, marks, _ in rows for venue in marks}
    return History(
        np.array([published_us for published_us, *_ in rows], dtype=np.int64),
        {lane: np.array([cut.get(lane, 0) for _, cut, *_ in rows], dtype=np.int64) for lane in lanes},
        {venue: np.array([NEVER, *(marks.get(venue, NEVER) for _, _, marks, _ in rows)]) for venue in venues},
        [gap for *_, lost in rows for gap in lost],
    )


def _places(names: pl.Series) -> list[tuple[str, np.ndarray]]:
    """Each name and where it stands."""
    rows = names.to_frame("name").with_row_index("row").group_by("name").agg("row")
    return [(str(name), places.to_numpy()) for name, places in zip(rows["name"], rows["row"], strict=True)]
