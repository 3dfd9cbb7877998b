"""Finality: which windows are provisional, closed or revised, by what each publication took in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from oracle.gaps import Published
from oracle.views import OracleView, Row
from oracle.wire import OracleTrade

Window = tuple[str, str, int]
"""Venue, symbol, and the window's start in UTC microseconds."""

_S_US = 1_000_000


def labels(
    taken: Sequence[tuple[int, OracleTrade]], published: Sequence[Published], interval_us: int, view: OracleView
) -> dict[Window, Row]:
    """The columns `finality` and `revisions` of every window of `interval_us` microseconds.

    Args:
        taken: the trades that count, each with the number of publications before the one that took it in; if that is
            the number of all, it is above the last cut.
        published: what each publication said, first to last.
        interval_us: a multiple of the view's grain.
        view: whose windows they are.
    """
    newest = published[-1] if published else Published()
    live = {_window(trade, interval_us) for place, trade in taken if place == len(published)}
    revisions = _revisions(taken, published, interval_us, view)
    found: dict[Window, Row] = {}
    for window in {_window(trade, interval_us) for _, trade in taken}:
        settled = "revised" if revisions[window] else "closed"
        is_past = _is_past(newest, window, interval_us, view)
        closed = window not in live and is_past and not _has_hole(newest, window, interval_us)
        found[window] = {"finality": settled if closed else "provisional", "revisions": revisions[window]}
    return found


def _revisions(
    taken: Sequence[tuple[int, OracleTrade]], published: Sequence[Published], interval_us: int, view: OracleView
) -> Mapping[Window, int]:
    """How often a publication added to a window of the grain that had been closed by then.

    A gap that was found only after the watermark had passed the window does not undo that it was.
    """
    grain_us = view.grain_s * _S_US
    revisions: Counter[Window] = Counter()
    added = {(place, _window(trade, grain_us)) for place, trade in taken if 0 < place < len(published)}
    for place, window in added:
        before = published[place - 1]
        due_us = window[2] + grain_us + view.lateness_s * _S_US
        if _is_past(before, window, grain_us, view) and not _has_hole(before, window, grain_us, in_time_for_us=due_us):
            venue, symbol, start_us = window
            revisions[venue, symbol, start_us // interval_us * interval_us] += 1
    return revisions


def _is_past(published: Published, window: Window, length_us: int, view: OracleView) -> bool:
    return window[2] + length_us + view.lateness_s * _S_US <= published.marks_us.get(window[0], -1)


def _has_hole(published: Published, window: Window, length_us: int, *, in_time_for_us: int | None = None) -> bool:
    """Whether an open gap may fall into the window; or one that has held it since the watermark came to a time."""
    venue, symbol, start_us = window
    end_us = start_us + length_us
    holes = [gap for gap in published.gaps.get((venue, symbol), ()) if gap.may_fall_into(start_us, end_us)]
    return any(in_time_for_us is None or gap.has_held(start_us, end_us, in_time_for_us) for gap in holes)


def _window(trade: OracleTrade, interval_us: int) -> Window:
    return trade.venue, trade.symbol, trade.event_us // interval_us * interval_us
