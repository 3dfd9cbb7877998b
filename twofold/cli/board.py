"""What `twofold up` shows: how the parts are doing, and the newest bars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from twofold.cli.view_table import freshness_line, view_table
from twofold.supervision.keeper import Status

WINDOWS = 10
"""Newest windows of each symbol that are looked at, and shown as far as there is room."""

_STATE_STYLES = {"waiting": "dim", "starting": "yellow", "restarting": "red", "running": "green", "finished": "blue"}
_COLUMNS = ("symbol", "window_start", "open", "high", "low", "close", "volume", "trades", "finality", "revisions")
_LINES_BESIDE_BARS = 21
_FEWEST_BARS = 6
_FEWEST_WINDOWS = 3


def board(
    console: Console, statuses: Sequence[Status], answer: Mapping[str, Any] | None, news: Sequence[str]
) -> RenderableType:
    """Draw everything, as many bars as the terminal is high.

    Args:
        console: where it will be shown.
        statuses: the parts.
        answer: the newest answer of serving for the view `bars`; None while it gives none.
        news: the last things that happened.
    """
    shown: list[RenderableType] = [_parts_table(statuses)]
    if answer is None:
        shown.append(Text("No answer from serving yet.", style="dim"))
    else:
        room = max(_FEWEST_BARS, console.height - _LINES_BESIDE_BARS)
        shown += [view_table(busiest(answer["rows"], room)), freshness_line(answer)]
    return Group(*shown, *(Text(line, style="dim") for line in news))


def busiest(rows: Sequence[Mapping[str, Any]], room: int) -> list[dict[str, Any]]:
    """Choose about `room` rows, which are in order: the newest of the symbols with the most traded."""
    by_symbol: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_symbol.setdefault(row["symbol"], []).append(row)
    ranked = sorted(by_symbol.values(), key=lambda found: sum(float(row["notional"]) for row in found), reverse=True)
    chosen = ranked[: max(1, room // _FEWEST_WINDOWS)]
    windows = room // len(chosen) if chosen else 0
    return [{name: row[name] for name in _COLUMNS} for found in chosen for row in found[-windows:]]


def settled(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> Iterator[str]:
    """Say of which windows the bars that were provisional before are not any more, a line each."""
    was = {} if before is None else {_key(row): row["finality"] for row in before["rows"]}
    changed = Counter(
        (row["window_start"], row["finality"])
        for row in now["rows"]
        if was.get(_key(row)) == "provisional" != row["finality"]
    )
    for (window, finality), count in sorted(changed.items()):
        yield f"{count} {'bar' if count == 1 else 'bars'} of {window} now {finality}"


def _key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["venue"], row["symbol"], row["window_start"]


def _parts_table(statuses: Sequence[Status]) -> Table:
    table = Table(header_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("part", "state"):
        table.add_column(name)
    for name in ("process", "up", "restarts"):
        table.add_column(name, justify="right")
    for status in statuses:
        table.add_row(
            status.name,
            Text(status.state, style=_STATE_STYLES[status.state]),
            "" if status.pid is None else str(status.pid),
            "" if status.uptime_s is None else _duration(status.uptime_s),
            str(status.restarts or ""),
        )
    return table


def _duration(seconds: float) -> str:
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
