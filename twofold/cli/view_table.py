"""Rows of a view as a table on the terminal, their finality in colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

FINALITY_STYLES = {"provisional": "yellow", "closed": "green", "revised": "magenta", "held": "red"}

_HIDDEN = ("window_end", "revisions")  # the first follows from the interval, the second is shown with the finality
_WORDS = ("venue", "symbol", "window_start", "finality")


def view_table(rows: Sequence[Mapping[str, Any]], title: str | None = None) -> Table:
    """Make a table of an answer's rows; times are UTC, as its head says."""
    table = Table(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    columns = [name for name in rows[0] if name not in _HIDDEN] if rows else []
    for name in columns:
        head = "window (UTC)" if name == "window_start" else name.replace("_", " ")
        table.add_column(head, justify="left" if name in _WORDS else "right", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(name, row) for name in columns))
    return table


def freshness_line(answer: Mapping[str, Any]) -> Text:
    """Say in a line what an answer was made of and how fresh it is."""
    freshness = answer["freshness"]
    lag, age_ms = freshness["lag_records"], freshness["age_ms"]
    parts = [
        f"publication {answer['receipt']['sequence']}",
        f"newest trade {_time(freshness['newest_event'])}",
        _from_batch_alone(freshness["speed"]) if lag is None else f"{lag} records behind, heard {age_ms} ms ago",
    ]
    if freshness.get("held"):
        parts.append(f"hold {freshness['held']} is open: see `twofold held list`")
    return Text(" · ".join(parts), style="dim" if lag is not None else "yellow")


def _from_batch_alone(mode: str) -> str:
    why = "" if mode == "unused" else f"speed worker {mode.replace('_', ' ')}: "
    return f"{why}from batch alone"


def _cell(name: str, row: Mapping[str, Any]) -> Text:
    value = row[name]
    if name == "finality":
        revisions = row.get("revisions")
        return Text(f"{value} ({revisions})" if revisions else str(value), style=FINALITY_STYLES.get(value, ""))
    if name == "window_start":
        return Text(_time(value))
    return Text("" if value is None else _short(str(value)))


def _time(value: str | None) -> str:
    if value is None:
        return "none"
    return f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M:%S}".removesuffix(":00")


def _short(value: str) -> str:
    """Write a decimal without the zeros that its type puts behind it; other text as it is."""
    try:
        return f"{Decimal(value).normalize():f}" if "." in value else value
    except InvalidOperation:
        return value
