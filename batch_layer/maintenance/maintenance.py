"""Maintenance of a lake: a cycle that takes nothing in. It joins small files, publishes, and then removes old ones.

What is removed has been released by a publication before, so that nobody is told that it is there. A run that was
killed anywhere leaves a lake that goes on: what it had joined and not published is dropped by whoever writes next, and
what it had not removed is removed by the next run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from batch_layer.maintenance.cleaning import Removable, removable, remove
from batch_layer.maintenance.compaction import compact, joinable
from batch_layer.maintenance.retention import Retention, retention_of
from twofold.clock import Clock, utc_now
from twofold.hold import Holds, kept_version
from twofold.lake import Lake
from twofold.publication import Publication, Publications, publish
from twofold.tables import RAW


@dataclass(frozen=True)
class Tidied:
    """What was done to one table, or would be.

    Attributes:
        table: Its name.
        before: Data files of the version that was published.
        joined: Files that would be joined; what they were joined to is known when it is done.
        after: Data files of the version that is published now.
        removed: What was removed.
    """

    table: str
    before: int
    joined: int
    after: int
    removed: Removable


class Maintenance:
    """One maintenance of a lake, from its newest publication on. Make a new one for each.

    Args:
        lake: which.
        retention_s: for how long the table versions of a publication stay, at least.
        clock: tells the time.

    Raises:
        NoLake: there is no lake at the root.
    """

    def __init__(self, lake: Lake, retention_s: float, clock: Clock = utc_now) -> None:
        self._lake = lake
        self._clock = clock
        self._since: datetime = clock() - timedelta(seconds=retention_s)
        publications = Publications(lake)
        self.parent = publications.newest()
        self._sequence = publications.next_sequence
        held = Holds(lake).open_on(self.parent)
        self._held = {RAW.name: version} if (version := kept_version(held)) is not None else {}

    @cached_property
    def retention(self) -> Retention:
        """Whose table versions stay, of the publications up to the parent."""
        return retention_of(self._lake, self.parent, self._since).with_kept(self._held)

    def compact(self) -> dict[str, int]:
        """Join small files; gives the new versions of the tables that have other files now. Nothing is public yet.

        Raises:
            Superseded: another cycle is at work.
            LakeUnreachable: a table cannot be read or written.
        """
        return compact(self._lake, self.parent)

    def publish(self, changed: Mapping[str, int]) -> Publication:
        """Make public what was joined and what is released, in one commit; the parent stays where there is nothing.

        Raises:
            Superseded: another cycle published first; nothing of this one is public.
        """
        released = self.retention.released
        if not changed and released == self.parent.released:
            return self.parent
        publication = replace(
            self.parent,
            sequence=self._sequence,
            published_at=self._clock(),
            tables={**self.parent.tables, **changed},
            lost=(),
            released=released,
        )
        publish(self._lake, publication)
        return publication

    def clean(self, publication: Publication) -> list[Tidied]:
        """Remove what no publication within retention is made of.

        Raises:
            LakeUnreachable: something cannot be removed; what came before has been.
        """
        told = []
        for table in sorted(publication.tables):
            found = self._removable(table)
            remove(self._lake, table, found)
            before = self._count(table, self.parent)
            told.append(Tidied(table, before, 0, self._count(table, publication), found))
        return told

    def foretell(self) -> list[Tidied]:
        """What all of that would do now; nothing is written."""
        joined = joinable(self._lake, self.parent)
        return [
            Tidied(table, count, joined.get(table, 0), count, self._removable(table))
            for table in sorted(self.parent.tables)
            for count in (self._count(table, self.parent),)
        ]

    def _removable(self, table: str) -> Removable:
        floor = self.retention.floors.get(table)
        published = self.parent.tables.get(table)
        if floor is None or published is None:
            return Removable()
        return removable(self._lake, table, floor, published, self._since)

    def _count(self, table: str, publication: Publication) -> int:
        version = publication.tables.get(table)
        return 0 if version is None else len(self._lake.files(table, version))
