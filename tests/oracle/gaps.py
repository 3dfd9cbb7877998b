"""What each publication says beside its trades: the watermarks, and the missing ids, by a walk over all ids."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from oracle.wire import Identity, OracleTrade

Market = tuple[str, str]
"""Venue and symbol."""

WITNESSES = 3
"""A venue's watermark is the third largest time among its trades below the cut."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Ids that are missing, from `first_id` to `last_id`. Times are UTC microseconds; None where no trade tells them.

    An open one was found when the venue's watermark was `found_at_us`, or None if there was none yet. In all
    publications since it might have fallen between the two times of `held_us`.
    """

    first_id: int
    last_id: int
    state: str
    first_event_us: int | None
    last_event_us: int | None
    since_us: int | None
    found_at_us: int | None = None
    held_us: tuple[int, int] | None = None

    def has_held(self, start_us: int, end_us: int, due_us: int) -> bool:
        """Whether it has kept a window from closing ever since the watermark came to when it was due."""
        if self.held_us is None or (self.found_at_us is not None and self.found_at_us >= due_us):
            return False
        return self.held_us[0] < end_us and start_us <= self.held_us[1]

    def may_fall_into(self, start_us: int, end_us: int) -> bool:
        """Whether a missing trade may be of that window; only an open gap keeps anyone waiting."""
        if self.state != "open" or self.first_event_us is None or self.last_event_us is None:
            return False
        return self.first_event_us < end_us and start_us <= self.last_event_us


@dataclass(frozen=True)
class Published:
    """Watermarks by venue, and gaps by market, of one publication."""

    marks_us: Mapping[str, int] = field(default_factory=dict)
    gaps: Mapping[Market, Sequence[Gap]] = field(default_factory=dict)

    def followed_by(
        self, trades: Iterable[OracleTrade], unusable: Iterable[Identity], venues: set[str], hole_age_us: int
    ) -> Published:
        """The next publication.

        Args:
            trades: every trade below its cut that counts.
            unusable: what dead letters below its cut would have been.
            venues: those in which a hole means missing trades.
            hole_age_us: an open gap that is older is lost.
        """
        seen: dict[Market, dict[int, OracleTrade]] = defaultdict(dict)
        times_us: dict[str, list[int]] = defaultdict(list)
        newest_us: dict[str, int] = {}
        for trade in trades:
            seen[trade.venue, trade.symbol][trade.rank] = trade
            times_us[trade.venue].append(min(trade.event_us, trade.arrival_us))
            newest_us[trade.venue] = max(newest_us.get(trade.venue, 0), trade.arrival_us)
        refused: dict[Market, set[int]] = defaultdict(set)
        for venue, symbol, trade_id in unusable:
            if isinstance(trade_id, int):
                refused[venue, symbol].add(trade_id)
        gaps: dict[Market, Sequence[Gap]] = {}
        for market in sorted({*seen, *refused}):
            venue = market[0]
            if venue in venues:
                lost_before_us = newest_us.get(venue, 0) - hole_age_us
                walk = _Walk(seen[market], self.gaps.get(market, ()), self.marks_us.get(venue), lost_before_us)
                gaps[market] = walk.gaps(refused[market] - seen[market].keys())
        marks_us = {venue: sorted(all_us)[-WITNESSES] for venue, all_us in times_us.items() if len(all_us) >= WITNESSES}
        return Published(marks_us, gaps)


class _Walk:
    """A walk over the ids of one market."""

    def __init__(
        self, seen: Mapping[int, OracleTrade], before: Sequence[Gap], mark_us: int | None, lost_before_us: int
    ) -> None:
        self._seen = seen
        self._ids = sorted(seen)
        self._before = [gap for gap in before if gap.state != "unusable"]
        self._mark_us = mark_us
        self._lost_before_us = lost_before_us

    def gaps(self, refused: set[int]) -> list[Gap]:
        """All gaps, by id."""
        found = [self._gap(first, last, "unusable") for first, last in _runs(refused)]
        for one, other in pairwise(sorted({*self._ids, *refused})):
            if other - one > 1:
                gap = self._gap(one + 1, other - 1, "open")
                if gap.first_event_us is not None and gap.since_us is not None:
                    found.append(self._judged(gap))
        return sorted(found, key=lambda gap: gap.first_id)

    def _gap(self, first_id: int, last_id: int, state: str) -> Gap:
        place = bisect_left(self._ids, first_id)
        earlier = self._seen[self._ids[place - 1]] if place > 0 else None
        later = self._seen[self._ids[place]] if place < len(self._ids) else None
        ends = [trade.event_us if trade else None for trade in (earlier, later)]
        if earlier and later:
            ends = sorted([earlier.event_us, later.event_us])
        return Gap(first_id, last_id, state, ends[0], ends[1], later.arrival_us if later else None)

    def _judged(self, gap: Gap) -> Gap:
        """The gap with its state, and when it was found."""
        place = bisect_right(self._before, gap.first_id, key=lambda earlier: earlier.first_id)
        whole = self._before[place - 1] if place and gap.first_id <= self._before[place - 1].last_id else None
        if (whole and whole.state == "lost") or (gap.since_us or 0) < self._lost_before_us:
            return replace(gap, state="lost")
        first_us, last_us = gap.first_event_us or 0, gap.last_event_us or 0
        found = replace(gap, found_at_us=self._mark_us, held_us=(first_us, last_us))
        if whole and whole.held_us:
            held_us = (max(first_us, whole.held_us[0]), min(last_us, whole.held_us[1]))
            if held_us[0] <= held_us[1]:
                return replace(found, found_at_us=whole.found_at_us, held_us=held_us)
        return found


def _runs(ids: set[int]) -> list[tuple[int, int]]:
    """Ids as runs of neighbours."""
    firsts = sorted(each for each in ids if each - 1 not in ids)
    lasts = sorted(each for each in ids if each + 1 not in ids)
    return list(zip(firsts, lasts, strict=True))
