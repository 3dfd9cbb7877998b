"""The newest publications, as they are answered: when each was made, and what became of the records that it took in."""

from __future__ import annotations

from dataclasses import asdict
from functools import reduce
from itertools import pairwise
from operator import add
from threading import Lock
from typing import Any

import polars as pl

from serving.query import rfc3339
from twofold.account import Account
from twofold.clock import to_epoch_us
from twofold.lake import Lake
from twofold.publication import GENESIS, PUBLICATIONS, Publication

MOST = 100
"""Publications that are told at most."""


class RecentPublications:
    """Reads the newest publications of a lake, once for each that is published. Many threads may ask."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._lock = Lock()
        self._read: list[Publication] = []

    def rows(self, newest: Publication, last: int) -> list[dict[str, Any]]:
        """The newest publications as JSON data, the newest first.

        Args:
            newest: the newest one.
            last: how many, `MOST` at most.

        Raises:
            LakeUnreachable: the lake cannot be read.
        """
        with self._lock:
            if not self._read or self._read[-1].sequence != newest.sequence:
                self._read = self._up_to(newest)
            read = self._read
        rows = [_row(before, publication) for before, publication in pairwise(read)]
        return rows[-last:][::-1]

    def _up_to(self, newest: Publication) -> list[Publication]:
        """The newest ones in their order, with the one before the first, to tell what that one added."""
        if newest.sequence == GENESIS.sequence:
            return [GENESIS]
        found = self._lake.scan(PUBLICATIONS.name, newest.sequence).filter(
            pl.col("sequence") >= newest.sequence - MOST, pl.col("sequence") <= newest.sequence
        )
        rows = found.sort("sequence").collect().iter_rows(named=True)
        read = [Publication.from_row(row) for row in rows]
        return read if len(read) > MOST else [GENESIS, *read]


def _row(before: Publication, publication: Publication) -> dict[str, Any]:
    """A publication, with what it added to the one before it."""
    had, has = asdict(_sum(before)), asdict(_sum(publication))
    is_first = before.sequence == GENESIS.sequence
    after = publication.published_at - before.published_at
    return {
        "sequence": publication.sequence,
        "published_at": rfc3339(to_epoch_us(publication.published_at)),
        "after_s": None if is_first else after.total_seconds(),
        **{name: count - had[name] for name, count in has.items()},
        "tables": sorted(name for name, version in publication.tables.items() if before.tables.get(name) != version),
        "given_up": sorted(set(publication.given_up) - set(before.given_up)),
    }


def _sum(publication: Publication) -> Account:
    """What became of all records below the cut."""
    return reduce(add, publication.accounts.values(), Account())
