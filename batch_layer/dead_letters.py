"""The dead letters of a publication: which there are, and finding one of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from twofold.decoding import DEAD_LETTER_SCHEMA, Reason
from twofold.errors import UnknownName
from twofold.lake import Lake
from twofold.publication import Publication
from twofold.tables import DEAD_LETTERS

COORDINATES = ["lane", "offset"]
_AGE = ["logged_at", *COORDINATES]
"""The order of dead letters, from the oldest to the newest."""


class DeadLetters:
    """The dead letters that one publication names; all of them, also those that have been retried."""

    def __init__(self, lake: Lake, publication: Publication) -> None:
        version = publication.tables.get(DEAD_LETTERS.name)
        self._rows = DEAD_LETTER_SCHEMA.to_frame().lazy() if version is None else lake.scan(DEAD_LETTERS.name, version)

    def of(self, reason: str | None = None, source: str | None = None) -> pl.LazyFrame:
        """Those of a reason, of a source, or of both; by default all (`DEAD_LETTER_SCHEMA`).

        Raises:
            UnknownName: there is no such reason, or no dead letter of such a source; the message names those there are.
        """
        rows = self._rows
        if reason is not None:
            self._check("reason", "reason", reason, Reason)
            rows = rows.filter(pl.col("reason") == reason)
        if source is not None:
            self._check("source", "source among the dead letters", source)
            rows = rows.filter(pl.col("source") == source)
        return rows

    def at(self, place: str, offset: int) -> pl.DataFrame:
        """The one dead letter at an offset, as a frame of one row (`DEAD_LETTER_SCHEMA`).

        Args:
            place: its lane, or as much of that as leaves no other: `3` for a partition, `5f0e/3` with the first
                letters of the topic id.
            offset: its own offset there.

        Raises:
            UnknownName: there is none, or the place leaves it open which is meant; the message names those there are.
        """
        found = self._rows.filter((pl.col("offset") == offset) & _is_at(place)).collect()
        if found.height > 1 and place in found["lane"]:
            found = found.filter(pl.col("lane") == place)
        if found.height != 1:
            exist = [f"{lane} {offset}" for lane in found["lane"]] if found.height else self._extents()
            raise UnknownName("dead letter", f"{place} {offset}", exist)
        return found

    def _check(self, column: str, kind: str, name: str, known: Iterable[str] = ()) -> None:
        exist = {*map(str, known), *self._rows.select(pl.col(column).unique()).collect()[column]}
        if name not in exist:
            raise UnknownName(kind, name, exist)

    def _extents(self) -> list[str]:
        offset = pl.col("offset")
        lanes = self._rows.group_by("lane").agg(offset.min().alias("first"), offset.max().alias("last"))
        return [f"{lane} from {first} to {last}" for lane, first, last in lanes.collect().rows()]


def newest(letters: pl.LazyFrame, count: int) -> list[dict[str, Any]]:
    """The newest `count` of some dead letters, the newest last; without their key, value and headers."""
    columns = [name for name in DEAD_LETTER_SCHEMA if name not in {"key", "value", "headers"}]
    found = letters.select(columns).top_k(count, by=_AGE).collect()
    return found.sort(_AGE).to_dicts()


def by_reason(letters: pl.LazyFrame) -> dict[str, int]:
    """How many dead letters there are of each reason, the most frequent first."""
    counts = letters.group_by("reason").agg(pl.len().alias("count")).collect()
    return dict(counts.sort(["count", "reason"], descending=[True, False]).rows())


def _is_at(place: str) -> pl.Expr:
    topic, _, partition = place.rpartition("/")
    lane = pl.col("lane")
    return lane.str.starts_with(topic) & lane.str.ends_with(f"/{partition}")
