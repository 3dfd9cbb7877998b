"""Finality: which windows are provisional, closed or revised, by what each publication took in."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from oracle.views import GRAIN_S, Row
from oracle.wire import OracleTrade

Window = tuple[str, str, int]
"""Venue, symbol, and the window's start in UTC microseconds."""

WITNESSES = 3
"""A venue's watermark is the third largest time among its trades below the cut."""

_GRAIN_US = GRAIN_S * 1_000_000


def labels(taken: Sequence[tuple[int, OracleTrade]], cuts: int, interval_us: int) -> dict[Window, Row]:
    """The columns `finality` and `revisions` of every window of `interval_us` microseconds.

    Args:
        taken: the trades that count, each with the number of publications before the one that took it in.
        cuts: how many publications there were; a trade of that number is above the last cut.
        interval_us: a multiple of the grain.
    """
    mark_us = _watermarks(trade for place, trade in taken if place < cuts)
    live = {_window(trade, interval_us) for place, trade in taken if place == cuts}
    revisions = _revisions(taken, cuts, interval_us)
    found: dict[Window, Row] = {}
    for window in {_window(trade, interval_us) for _, trade in taken}:
        past = window[2] + interval_us <= mark_us.get(window[0], -1)
        settled = "revised" if revisions[window] else "closed"
        found[window] = {
            "finality": settled if past and window not in live else "provisional",
            "revisions": revisions[window],
        }
    return found


def _revisions(taken: Sequence[tuple[int, OracleTrade]], cuts: int, interval_us: int) -> Mapping[Window, int]:
    """How often a publication added to a window of the grain that the one before it had closed."""
    revisions: Counter[Window] = Counter()
    for publication in range(cuts):
        mark_us = _watermarks(trade for place, trade in taken if place < publication)
        added = {_window(trade, _GRAIN_US) for place, trade in taken if place == publication}
        for venue, symbol, start_us in added:
            if start_us + _GRAIN_US <= mark_us.get(venue, -1):
                revisions[venue, symbol, start_us // interval_us * interval_us] += 1
    return revisions


def _window(trade: OracleTrade, interval_us: int) -> Window:
    return trade.venue, trade.symbol, trade.event_us // interval_us * interval_us


def _watermarks(trades: Iterable[OracleTrade]) -> dict[str, int]:
    times: dict[str, list[int]] = defaultdict(list)
    for trade in trades:
        times[trade.venue].append(min(trade.event_us, trade.arrival_us))
    return {venue: sorted(all_us)[-WITNESSES] for venue, all_us in times.items() if len(all_us) >= WITNESSES}
