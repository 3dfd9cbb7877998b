"""Finality: which windows are provisional, closed or revised, by what each publication took in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from oracle.gaps import Published
from oracle.views import GRAIN_S, Row
from oracle.wire import OracleTrade

Window = tuple[str, str, int]
"""Venue, symbol, and the window's start in UTC microseconds."""

_GRAIN_US = GRAIN_S * 1_000_000


def labels(
    taken: Sequence[tuple[int, OracleTrade]], published: Sequence[Published], interval_us: int
) -> dict[Window, Row]:
    """The columns `finality` and `revisions` of every window of `interval_us` microseconds.

    Args:
        taken: the trades that count, each with the number of publications before the one that took it in; if that is
            the number of all, it is above the last cut.
        published: what each publication said, first to last.
        interval_us: a multiple of the grain.
    """
    newest = published[-1] if published else Published()
    live = {_window(trade, interval_us) for place, trade in taken if place == len(published)}
    revisions = _revisions(taken, published, interval_us)
    found: dict[Window, Row] = {}
    for window in {_window(trade, interval_us) for _, trade in taken}:
        settled = "revised" if revisions[window] else "closed"
        closed = (
            window not in live and _is_past(newest, window, interval_us) and not _has_hole(newest, window, interval_us)
        )
        found[window] = {"finality": settled if closed else "provisional", "revisions": revisions[window]}
    return found


def _revisions(
    taken: Sequence[tuple[int, OracleTrade]], published: Sequence[Published], interval_us: int
) -> Mapping[Window, int]:
    """How often a publication added to a window of the grain that had been closed by then.

    A gap that was found only after the watermark had passed the window does not undo that it was.
    """
    revisions: Counter[Window] = Counter()
    added = {(place, _window(trade, _GRAIN_US)) for place, trade in taken if 0 < place < len(published)}
    for place, window in added:
        before = published[place - 1]
        if _is_past(before, window, _GRAIN_US) and not _has_hole(before, window, _GRAIN_US, in_time=True):
            venue, symbol, start_us = window
            revisions[venue, symbol, start_us // interval_us * interval_us] += 1
    return revisions


def _is_past(published: Published, window: Window, length_us: int) -> bool:
    return window[2] + length_us <= published.marks_us.get(window[0], -1)


def _has_hole(published: Published, window: Window, length_us: int, *, in_time: bool = False) -> bool:
    """Whether an open gap may fall into the window; `in_time`: one that has held it since the watermark passed."""
    venue, symbol, start_us = window
    end_us = start_us + length_us
    holes = [gap for gap in published.gaps.get((venue, symbol), ()) if gap.may_fall_into(start_us, end_us)]
    return any(not in_time or gap.has_held(start_us, end_us) for gap in holes)


def _window(trade: OracleTrade, interval_us: int) -> Window:
    return trade.venue, trade.symbol, trade.event_us // interval_us * interval_us
