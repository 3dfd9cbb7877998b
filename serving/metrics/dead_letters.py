"""How many dead letters there are of each reason."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from twofold.lake import Lake
from twofold.publication import GENESIS, Publication
from twofold.tables import DEAD_LETTERS


@dataclass(frozen=True)
class _Counted:
    """What was counted: the table's version, its files, and the letters in them by reason."""

    version: int | None = None
    files: frozenset[str] = frozenset()
    counts: Counter[str] = field(default_factory=Counter)


class DeadLetterReasons:
    """Counts the dead letters of a publication. It reads one column, and only of files that it has not read yet."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._counted = _Counted(GENESIS.tables.get(DEAD_LETTERS.name))
        self._counting = threading.Lock()

    def at(self, publication: Publication) -> Mapping[str, int]:
        """Dead letters by reason.

        Raises:
            LakeUnreachable: the table cannot be read.
        """
        with self._counting:
            version = publication.tables.get(DEAD_LETTERS.name)
            if version != self._counted.version:
                self._counted = self._count(version)
            return self._counted.counts

    def _count(self, version: int | None) -> _Counted:
        if version is None:
            return _Counted()
        files, before = frozenset(self._lake.files(DEAD_LETTERS.name, version)), self._counted
        if not before.files <= files:  # they were compacted, or the lake went back
            before = _Counted()
        counts = before.counts.copy()
        if added := sorted(files - before.files):
            reasons = self._lake.read_files(DEAD_LETTERS.name, added, ["reason"])["reason"]
            counts.update(dict(reasons.value_counts().iter_rows()))
        return _Counted(version, files, counts)
