"""Holds on the terminal: many as a table, one with all that was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from twofold.hold import Hold
from twofold.publication import Publication

_SHOWN = 50


def hold_table(holds: Sequence[Hold], newest: Publication) -> Table:
    """Make a table of holds, as the newest publication has them."""
    table = Table(header_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("hold", justify="right", no_wrap=True)
    table.add_column("held at (UTC)", no_wrap=True)
    table.add_column("after", justify="right", no_wrap=True)
    table.add_column("records", justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("failed", overflow="fold")
    for hold in holds:
        failed = "; ".join(f"{each.check}: {each.detail}" for each in hold.quality.failed)
        table.add_row(
            str(hold.number),
            f"{hold.held_at:%Y-%m-%d %H:%M:%S}",
            str(hold.parent),
            f"{hold.records:,}",
            state_of(hold, newest),
            Text(failed),
        )
    return table


def hold_lines(hold: Hold, newest: Publication) -> Iterator[str]:
    """Show one hold whole, a line for each thing that is known of it."""
    yield f"hold       {hold.number}"
    yield f"held at    {hold.held_at:%Y-%m-%d %H:%M:%S} UTC, after publication {hold.parent}"
    yield f"state      {state_of(hold, newest)}"
    yield f"records    {hold.records:,}"
    for lane, end in hold.cut.items():
        yield f"lane       {lane}:{hold.begins[lane]}-{end - 1}"
    for each in hold.quality.checks:
        found = f": {each.detail}" if each.detail else ""
        yield f"{each.outcome:10} {each.check} of {each.table}{found}"
    for failing in hold.failing[:_SHOWN]:
        place = f"{failing.lane}:{failing.first_offset}-{failing.last_offset}"
        yield f"failing    {place}, {failing.trades:,} trades of {failing.symbol}"
    if len(hold.failing) > _SHOWN:
        yield f"failing    and {len(hold.failing) - _SHOWN} more"


def state_of(hold: Hold, newest: Publication) -> str:
    """What became of it."""
    if hold.is_open(newest):
        return "waits"
    return "published" if hold.is_settled(newest) else "given up with its log"
