"""How an answer that was saved differs from one that was made again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def differences(saved: Mapping[str, Any], again: Mapping[str, Any]) -> list[str]:
    """A line for each difference in `rows` and `receipt`; none where these are equal."""
    found = list(_of_rows(saved["rows"], again["rows"]))
    found += [f"the receipt: {line}" for line in _of_fields(saved["receipt"], again["receipt"])]
    return found


def _of_rows(saved: Sequence[Row], again: Sequence[Row]) -> Iterator[str]:
    if len(saved) != len(again):
        yield f"{len(saved)} rows were saved, and {len(again)} were made again"
    for number, (before, after) in enumerate(zip(saved, again, strict=False), start=1):
        for line in _of_fields(before, after):
            yield f"row {number}, {_name(before)}: {line}"


def _of_fields(saved: Row, again: Row) -> Iterator[str]:
    for name in {**saved, **again}:
        if name not in saved or name not in again:
            yield f"{name} is only in what was {'made again' if name in again else 'saved'}"
        elif saved[name] != again[name]:
            yield f"{name} is {saved[name]!r} in what was saved, and {again[name]!r} again"


def _name(row: Row) -> str:
    return " ".join(str(row[name]) for name in ("venue", "symbol", "window_start") if name in row)
