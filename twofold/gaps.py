"""Gaps: ids of contiguous sources that have not been seen between ids that have, and where in event time they may fall.

A gap is `open` while its trades may still come, `unusable` where a dead letter bears the id, and `lost` once it has
been open for longer than a set age. Nothing is known of ids before the first and after the last that was seen.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field

import polars as pl

from twofold.ledger import INTERVAL_SCHEMA, MARKET, Market

OPEN, UNUSABLE, LOST = "open", "unusable", "lost"

_TIME = pl.Datetime("us", "UTC")

GAP_SCHEMA = pl.Schema(
    {
        **INTERVAL_SCHEMA,
        "state": pl.String(),
        "first_event": _TIME,
        "last_event": _TIME,
        "since": _TIME,
        "lane": pl.String(),
        "watermark": _TIME,
        "held_first": _TIME,
        "held_last": _TIME,
    }
)
"""Columns of the gaps: ids `first_id` to `last_id`, both inclusive, are missing.

`first_event` and `last_event` are the event times of the trades before and after it, the earlier one first; between
them, both inclusive, the missing trades may fall. `since` and `lane` are arrival time and lane of the trade after it.
For an unusable id beyond those that were seen, what there is no trade to take from is null.

The rest is null but for open gaps. `watermark` is the venue's in the publication before the one that first had the gap,
null where it had none. From `held_first` to `held_last` the gap may have fallen in every publication since.
"""

_NEVER = -(2**63)
_SPAN = [
    pl.col("first_event").to_physical(),
    pl.col("last_event").to_physical(),
    pl.col("watermark").to_physical().fill_null(_NEVER),
    pl.col("held_first").to_physical(),
    pl.col("held_last").to_physical(),
]


@dataclass(frozen=True)
class _Spans:
    """The open gaps of one market by the first event, in UTC microseconds; `reach_us` is the latest last one so far.

    `held` has for each the watermark when it was found, and from when to when it has always held windows.
    """

    first_us: list[int] = field(default_factory=list)
    reach_us: list[int] = field(default_factory=list)
    held: list[tuple[int, int, int]] = field(default_factory=list)

    def add(self, first_us: int, last_us: int, *held: int) -> None:
        """Take in one that does not begin before those there are."""
        self.first_us.append(first_us)
        self.reach_us.append(max(last_us, self.reach_us[-1]) if self.reach_us else last_us)
        watermark_us, held_first_us, held_last_us = held
        self.held.append((watermark_us, held_first_us, held_last_us))

    def near(self, start_us: int, end_us: int) -> range:
        """The places of those that may reach into a window; the first of them does."""
        return range(bisect_left(self.reach_us, start_us), bisect_left(self.first_us, end_us))


class OpenHoles:
    """The open gaps of one publication, by where they may fall.

    Windows are given by start, inclusive, and end, exclusive, in UTC microseconds.
    """

    def __init__(self, gaps: pl.DataFrame) -> None:
        """Take them from gaps (`GAP_SCHEMA`) of any state."""
        self._spans: dict[Market, _Spans] = defaultdict(_Spans)
        opened = gaps.filter(pl.col("state") == OPEN).sort("first_event").select(*MARKET, *_SPAN)
        for venue, symbol, *span in opened.iter_rows():
            self._spans[venue, symbol].add(*span)

    def __len__(self) -> int:
        """How many markets have any."""
        return len(self._spans)

    def may_fall_into(self, market: Market, start_us: int, end_us: int) -> bool:
        """Whether a missing trade of the market may be one of that window."""
        spans = self._spans.get(market)
        return spans is not None and len(spans.near(start_us, end_us)) > 0

    def hold(self, market: Market, start_us: int, end_us: int, due_us: int) -> bool:
        """Whether such a gap has kept the window from closing ever since the watermark came to `due_us`."""
        spans = self._spans.get(market)
        return spans is not None and any(
            watermark_us < due_us and first_us < end_us and last_us >= start_us
            for watermark_us, first_us, last_us in (spans.held[place] for place in spans.near(start_us, end_us))
        )
