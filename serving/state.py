"""The state that an answer was made of, without the data: what it says in its receipt, and how fresh it is."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from time import monotonic
from typing import Any

import orjson

from serving.query import rfc3339
from serving.seam import Pair, SpeedMode
from twofold.lane import Positions
from twofold.publication import Publication


@dataclass(frozen=True)
class State:
    """What is kept of a pair, once an answer is made: it does not hold on to the partials.

    Attributes:
        publication: Which one was answered from.
        positions: Up to where records are in the answer, per lane.
        newest_event_us: The newest trade that it may have, UTC microseconds.
        lag_records: Records that were in the log and not in the answer; None without a speed state.
        heard_at_s: When the speed worker was heard, by the monotonic clock; None without a speed state.
        mode: How the speed worker was doing.
        sources_hash: Of what the speed worker was told of the sources; None without a speed state.
        lost: What it could not read: lane, first offset, and the offset after the last.
        held: The number of the hold that is open; 0 without one.
    """

    publication: Publication
    positions: Positions
    newest_event_us: int | None
    lag_records: int | None
    heard_at_s: float | None
    mode: SpeedMode
    sources_hash: str | None = None
    lost: Sequence[tuple[str, int, int]] = ()
    held: int = 0

    @classmethod
    def of(cls, pair: Pair) -> State:
        """The state of a pair."""
        speed = pair.speed
        return cls(
            pair.batch.publication,
            pair.positions,
            _newest_event_us(pair),
            speed.lag_records if speed else None,
            speed.heard_at_s if speed else None,
            pair.mode,
            speed.header.sources_hash if speed else None,
            speed.header.lost if speed else (),
            pair.held,
        )

    @property
    def marks_held(self) -> int:
        """The number of the hold by which provisional rows are called held; 0 where none are."""
        return self.held if self.sources_hash is not None else 0

    @cached_property
    def mark(self) -> str:
        """A short name of what answers are a function of: of two states that differ in it, two names."""
        made_of = [self.publication.sequence, self.positions, self.lost, self.sources_hash, self.marks_held]
        told = orjson.dumps(made_of, option=orjson.OPT_SORT_KEYS)
        return hashlib.blake2b(told, digest_size=12).hexdigest()

    @cached_property
    def newest_event(self) -> str | None:
        """The newest trade that it may have, RFC 3339 in UTC."""
        return None if self.newest_event_us is None else rfc3339(self.newest_event_us)

    def freshness(self) -> dict[str, Any]:
        """How fresh an answer is. Without a speed state, lag and age are not known and are null."""
        return {
            "newest_event": self.newest_event,
            "lag_records": self.lag_records,
            "age_ms": None if self.heard_at_s is None else round((monotonic() - self.heard_at_s) * 1000),
            "speed": self.mode,
            "held": self.held or None,
        }


def _newest_event_us(pair: Pair) -> int | None:
    times = [times[0] for times in pair.batch.publication.witnesses.values() if times]
    if pair.speed and pair.speed.header.newest_event_us is not None:
        times.append(pair.speed.header.newest_event_us)
    return max(times, default=None)
