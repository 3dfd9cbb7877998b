"""Origin: which source a record is of, and when that source's collector received it, by the record's headers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from twofold.decoding.stack import Stack
from twofold.source import SOURCE_HEADER

RULES = f"""\
The source is the value of the last header `{SOURCE_HEADER}`, as UTF-8; without that header it is the default source.
The collector's time is the last header of the name that the source declares: 1 to 18 digits, UTC microseconds. It is at
most five minutes after the log time. A record without it takes the log time. An arrival is never before its event.
"""


@dataclass(frozen=True, slots=True)
class Origins:
    """Sources of a stack's rows.

    Attributes:
        source_of: the source's name by row.
        rows_of: the rows by source, ascending; the sources in the order in which they first appear.
    """

    source_of: Sequence[str]
    rows_of: dict[str, Sequence[int]]


def find_origins(stack: Stack, default_source: str) -> Origins:
    """Find the source of every row. A name that is not UTF-8 has its bad bytes escaped; no declared one looks so."""
    count = len(stack)
    if not stack.has_headers:
        return Origins([default_source] * count, {default_source: range(count)})
    default = default_source.encode()
    encoded = [dict(headers).get(SOURCE_HEADER, default) if headers else default for headers in stack.headers()]
    names = {name: (name or b"").decode("utf-8", "backslashreplace") for name in dict.fromkeys(encoded)}
    if len(names) == 1:
        (name,) = names.values()
        return Origins([name] * count, {name: range(count)})
    source_of = [names[name] for name in encoded]
    rows_of: dict[str, list[int]] = {name: [] for name in names.values()}
    for row, name in enumerate(source_of):
        rows_of[name].append(row)
    return Origins(source_of, dict(rows_of))


def collected_texts(stack: Stack, header: str) -> pl.Series:
    """The collector's time as it is written (Binary), by row; null where the record has no such header."""
    texts: list[bytes | None] = []
    for headers in stack.headers():
        by_name = dict(headers)
        texts.append((by_name[header] or b"") if header in by_name else None)
    return pl.Series("collected", texts, dtype=pl.Binary)
