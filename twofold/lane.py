"""Lanes and positions: where in the event log something stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

Positions = Mapping[str, int]
"""Lane name to the next offset to read; exclusive. A cut is the positions that a publication has taken in."""


_IMPORT = "import-"


@dataclass(frozen=True, order=True, slots=True)
class Lane:
    """One ordered source of records: a partition of a topic, known by the topic's id and not by its name, or an import.

    Where offsets of a partition came to stand for other records, since its log had lost its end or is another
    cluster's, what comes from then on is the next `succession`, a lane of its own.
    """

    topic_id: str
    partition: int
    succession: int = 0

    def __str__(self) -> str:
        name = f"{self.topic_id}/{self.partition}"
        return f"{name}~{self.succession}" if self.succession else name

    @classmethod
    def of_import(cls, import_id: str) -> Lane:
        """The lane of an import: `import-<id>/0`, whose offsets are the numbers of its rows."""
        return cls(f"{_IMPORT}{import_id}", 0)

    @property
    def is_import(self) -> bool:
        """Whether it is of an import, so that no event log has it. No topic id begins so: they are UUIDs."""
        return self.topic_id.startswith(_IMPORT)

    @classmethod
    def parse(cls, name: str) -> Lane:
        """Make a lane from its name, `<topic id>/<partition>`, with `~<succession>` where that is not the first."""
        topic_id, _, rest = name.rpartition("/")
        partition, _, succession = rest.partition("~")
        return cls(topic_id, int(partition), int(succession or 0))

    def successor(self) -> Lane:
        """The lane that follows it in the same partition."""
        return Lane(self.topic_id, self.partition, self.succession + 1)


@dataclass(frozen=True, slots=True)
class Share:
    """The lanes that one of several workers takes: all whose partition leaves its number when divided by how many."""

    worker: int = 0
    workers: int = 1

    def has(self, partition: int) -> bool:
        """Whether the lane of that partition is among them."""
        return partition % self.workers == self.worker

    def of(self, positions: Positions) -> dict[str, int]:
        """What positions say of these lanes."""
        return {lane: offset for lane, offset in positions.items() if self.has(Lane.parse(lane).partition)}


ALL_LANES = Share()
"""What a worker by itself takes."""


def positions_to_json(positions: Positions) -> str:
    """Write positions as JSON with sorted lanes, so that equal positions are equal text."""
    return orjson.dumps(dict(positions), option=orjson.OPT_SORT_KEYS).decode()


def positions_from_json(text: str) -> dict[str, int]:
    """Read positions as `positions_to_json` wrote them."""
    positions: dict[str, int] = orjson.loads(text)
    return positions


def at_least(positions: Positions, other: Positions) -> bool:
    """Whether `positions` have reached `other` in every lane of `other`."""
    return all(positions.get(lane, 0) >= offset for lane, offset in other.items())


def lags(ends: Positions, positions: Positions) -> dict[str, int]:
    """Records between positions and the ends of the lanes, per lane."""
    return {lane: max(0, end - positions.get(lane, 0)) for lane, end in ends.items()}
