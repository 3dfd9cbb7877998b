"""A question to a view: read from text, checked, and written back in one canonical form."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar, get_args

from serving.names import canonical_names
from twofold.clock import EPOCH, from_epoch_us, to_epoch_us
from twofold.errors import QueryError, UnknownName
from twofold.view import View

MAX_LAST = 100_000
"""Windows per symbol that one answer can be asked for by `last`."""

MAX_LIMIT = 250_000
"""Rows that one page of an answer can be asked for by `limit`."""

BaseChoice = Literal["live", "published"]
Finality = Literal["provisional", "closed", "revised", "held"]
FINALITIES: tuple[Finality, ...] = get_args(Finality)

Name = TypeVar("Name", bound=str)

INTERVAL = r"([1-9][0-9]{0,5})(s|m|h|d)"
_UNIT_US = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_MS_US = 1_000
KNOWN_AFTER = r"(0|[1-9][0-9]{0,5})(ms|s|m|h|d)"
_EPOCH_MS = re.compile(r"-?[0-9]{1,15}")


@dataclass(frozen=True)
class Query:
    """What is asked of a view.

    Attributes:
        view: Which one.
        interval_us: Length of the windows in microseconds.
        venue: Names of venues in canonical form (`serving.names`); None for all.
        symbol: Names of symbols, likewise.
        start_us: Windows that start here or later, UTC microseconds; the start of a window.
        end_us: Windows that start before this, likewise.
        last: Of those, this many of the newest of each market.
        columns: Of the columns that may be left out, those that are wanted; None for all.
        finality: Only rows of these; None for all.
        limit: Of all these rows, this many.
        skip: After so many others.
        base: Whether what is not published yet takes part.
        as_of_us: Only of trades that had arrived by then, UTC microseconds.
        known_after_us: Only of trades that had arrived so many microseconds after the end of their window.
    """

    view: View
    interval_us: int
    venue: str | None = None
    symbol: str | None = None
    start_us: int | None = None
    end_us: int | None = None
    last: int | None = None
    columns: tuple[str, ...] | None = None
    finality: tuple[Finality, ...] | None = None
    limit: int | None = None
    skip: int = 0
    base: BaseChoice = "live"
    as_of_us: int | None = None
    known_after_us: int | None = None

    @property
    def is_as_known(self) -> bool:
        """Whether it depends on when trades arrived, which partials do not say."""
        return self.as_of_us is not None or self.known_after_us is not None

    @property
    def whole(self) -> Query:
        """The question whose answer this one asks for a page of."""
        return self if self.limit is None and not self.skip else replace(self, limit=None, skip=0)

    def canonical(self) -> dict[str, str | int]:
        """The question as names and values; equal questions give equal ones. How an answer is written is no part."""
        parts: dict[str, str | int | None] = {
            "view": self.view.name,
            "interval_us": self.interval_us,
            "venue": self.venue,
            "symbol": self.symbol,
            "start_us": self.start_us,
            "end_us": self.end_us,
            "last": self.last,
            "columns": None if self.columns is None else ",".join(self.columns),
            "finality": None if self.finality is None else ",".join(self.finality),
            "limit": self.limit,
            "skip": self.skip or None,
            "base": self.base,
            "as_of_us": self.as_of_us,
            "known_after_us": self.known_after_us,
        }
        return {name: value for name, value in parts.items() if value is not None}


def asked_again(canonical: Mapping[str, Any], views: Mapping[str, View]) -> Query:
    """The question that a canonical form is of, to a view that `views` has."""
    listed = {
        name: tuple(filter(None, canonical[name].split(","))) for name in ("columns", "finality") if name in canonical
    }
    return Query(**{**canonical, **listed, "view": views[canonical["view"]]})


def optional_columns(view: View) -> list[str]:
    """The columns of an answer that a question may leave out, in their order."""
    return ["window_end", *view.columns, "revisions"]


def parse_interval(text: str, view: View) -> int:
    """An interval such as `5m` in microseconds: a whole multiple of the view's grain. Its windows count from 1970.

    Raises:
        QueryError: it is none.
    """
    grain = interval_text(view.window_us)
    match = re.fullmatch(INTERVAL, text)
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
    venue: str | None = None,
    symbol: str | None = None,
    interval: str | None = None,
    start: str | None = None,
    end: str | None = None,
    last: int | None = None,
    columns: str | None = None,
    finality: str | None = None,
    limit: int | None = None,
    base: BaseChoice = "live",
    as_of: str | None = None,
    known_after: str | None = None,
) -> Query:
    """Check a question and put it in order.

    Raises:
        QueryError: a part of it does not make sense; the message says which and what would.
        UnknownName: the view has no column of that name.
    """
    start_us = None if start is None else parse_time("start", start)
    end_us = None if end is None else parse_time("end", end)
    if start_us is not None and end_us is not None and start_us >= end_us:
        raise QueryError(f"start={start!r} is not before end={end!r}; the end is exclusive.")
    interval_us = view.window_us if interval is None else parse_interval(interval, view)
    return Query(
        view,
        interval_us,
        venue=None if venue is None else canonical_names("venue", venue),
        symbol=None if symbol is None else canonical_names("symbol", symbol),
        start_us=_aligned_us(start_us, interval_us),
        end_us=_aligned_us(end_us, interval_us),
        last=_within("last", last, MAX_LAST, "Ask for more by start and end."),
        columns=None if columns is None else _columns(view, columns),
        finality=None if finality is None else _finality(finality),
        limit=_within("limit", limit, MAX_LIMIT, "The rows after those are on the next pages."),
        base=base,
        as_of_us=None if as_of is None else parse_time("as_of", as_of),
        known_after_us=None if known_after is None else _known_after_us(known_after),
    )


def rfc3339(time_us: int) -> str:
    """A time from UTC microseconds as RFC 3339 with `Z`, with as many digits of a second as it has."""
    time = EPOCH if time_us == 0 else from_epoch_us(time_us)
    return time.isoformat().replace("+00:00", "Z")


def interval_text(interval_us: int) -> str:
    """A length of time as a question writes it, such as `5m`."""
    for unit in ("d", "h", "m", "s"):
        if interval_us % _UNIT_US[unit] == 0:
            return f"{interval_us // _UNIT_US[unit]}{unit}"
    return f"{interval_us} microseconds"


def _known_after_us(text: str) -> int:
    match = re.fullmatch(KNOWN_AFTER, text)
    if match is None:
        raise QueryError(
            f"known_after={text[:20]!r} is no length of time. Write a whole number of at most six digits and ms, s, "
            "m, h or d: 0s, 500ms, 2s, 5m."
        )
    return int(match[1]) * (_MS_US if match[2] == "ms" else _UNIT_US[match[2]])


def _aligned_us(time_us: int | None, interval_us: int) -> int | None:
    """The first start of a window of the interval that is not before a time."""
    return None if time_us is None else -(-time_us // interval_us) * interval_us


def _within(name: str, number: int | None, most: int, more: str) -> int | None:
    if number is not None and not 1 <= number <= most:
        raise QueryError(f"{name}={number} is not between 1 and {most}. {more}")
    return number


def _columns(view: View, text: str) -> tuple[str, ...] | None:
    may_go = optional_columns(view)
    wanted = set(text.split(","))
    all_names = [*view.group, *may_go, "finality"]
    for name in sorted(wanted.difference(all_names)):
        raise UnknownName(f"column of view {view.name!r}", name, all_names)
    return _unless_all(may_go, wanted)


def _finality(text: str) -> tuple[Finality, ...] | None:
    wanted = set(text.split(","))
    if not wanted <= set(FINALITIES):
        raise QueryError(f"finality={text!r} is not among {', '.join(FINALITIES)}; several are separated by commas.")
    return _unless_all(FINALITIES, wanted)


def _unless_all(names: Collection[Name], wanted: Collection[str]) -> tuple[Name, ...] | None:
    chosen = tuple(name for name in names if name in wanted)
    return None if len(chosen) == len(names) else chosen
