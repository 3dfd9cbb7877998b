"""A question to a view: read from text, checked, and written back in one canonical form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from twofold.clock import EPOCH, from_epoch_us, to_epoch_us
from twofold.errors import QueryError
from twofold.view import View

MAX_LAST = 100_000
"""Windows per symbol that one answer can be asked for by `last`."""

BaseChoice = Literal["live", "published"]

_INTERVAL = re.compile(r"([1-9][0-9]{0,5})(s|m|h|d)")
_UNIT_US = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_EPOCH_MS = re.compile(r"-?[0-9]{1,15}")


@dataclass(frozen=True)
class Query:
    """What is asked of a view. Times are UTC microseconds; start is inclusive, end exclusive, both on window starts."""

    view: View
    interval_us: int
    venue: str | None = None
    symbol: str | None = None
    start_us: int | None = None
    end_us: int | None = None
    last: int | None = None
    base: BaseChoice = "live"

    def aligned_us(self, time_us: int | None) -> int | None:
        """The first start of a window of the interval that is not before a time."""
        return None if time_us is None else -(-time_us // self.interval_us) * self.interval_us

    def canonical(self) -> dict[str, str | int]:
        """The question as names and values; equal questions give equal ones."""
        parts: dict[str, str | int | None] = {
            "view": self.view.name,
            "interval_us": self.interval_us,
            "venue": self.venue,
            "symbol": self.symbol,
            "start_us": self.start_us,
            "end_us": self.end_us,
            "last": self.last,
            "base": self.base,
        }
        return {name: value for name, value in parts.items() if value is not None}


def asked_again(canonical: Mapping[str, Any], views: Mapping[str, View]) -> Query:
    """The question that a canonical form is of, to a view that `views` has."""
    return Query(**{**canonical, "view": views[canonical["view"]]})


def parse_interval(text: str, view: View) -> int:
    """An interval such as `5m` in microseconds: a whole multiple of the view's grain. Its windows count from 1970.

    Raises:
        QueryError: it is none.
    """
    grain = _interval_text(view.window_us)
    match = _INTERVAL.fullmatch(text)
    interval_us = int(match[1]) * _UNIT_US[match[2]] if match else 0
    if not interval_us or interval_us % view.window_us:
        raise QueryError(
            f"interval={text!r} is no multiple of the grain of view {view.name!r}, which is {grain}. "
            "Write a whole number of at most six digits and s, m, h or d: 1m, 5m, 1h, 1d."
        )
    return interval_us


def parse_time(name: str, text: str) -> int:
    """A time as UTC microseconds, from RFC 3339 with an offset or from epoch milliseconds.

    Raises:
        QueryError: it is neither, or outside the years 1 to 9999.
    """
    try:
        if _EPOCH_MS.fullmatch(text):
            return to_epoch_us(from_epoch_us(int(text) * 1000))
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise QueryError(
                f"{name}={text!r} has no time zone. Write RFC 3339 with an offset, such as 2024-08-09T00:00:00Z."
            )
        return to_epoch_us(time.astimezone(UTC))
    except (ValueError, OverflowError):
        raise QueryError(
            f"{name}={text!r} is no time. Write RFC 3339 with an offset, such as 2024-08-09T00:00:00Z, "
            "or milliseconds since 1970 in UTC. In an address '+' must be written %2B."
        ) from None


def parse_query(
    view: View,
    *,
    venue: str | None,
    symbol: str | None,
    interval: str | None,
    start: str | None,
    end: str | None,
    last: int | None,
    base: BaseChoice,
) -> Query:
    """Check a question and put it in order.

    Raises:
        QueryError: a part of it does not make sense; the message says which and what would.
    """
    start_us = None if start is None else parse_time("start", start)
    end_us = None if end is None else parse_time("end", end)
    if start_us is not None and end_us is not None and start_us >= end_us:
        raise QueryError(f"start={start!r} is not before end={end!r}; the end is exclusive.")
    if last is not None and not 1 <= last <= MAX_LAST:
        raise QueryError(f"last={last} is not between 1 and {MAX_LAST}. Ask for more by start and end.")
    interval_us = view.window_us if interval is None else parse_interval(interval, view)
    return Query(view, interval_us, venue, symbol, start_us, end_us, last, base)


def rfc3339(time_us: int) -> str:
    """A time from UTC microseconds as RFC 3339 with `Z`, with as many digits of a second as it has."""
    time = EPOCH if time_us == 0 else from_epoch_us(time_us)
    return time.isoformat().replace("+00:00", "Z")


def _interval_text(interval_us: int) -> str:
    for unit in ("d", "h", "m", "s"):
        if interval_us % _UNIT_US[unit] == 0:
            return f"{interval_us // _UNIT_US[unit]}{unit}"
    return f"{interval_us} microseconds"
