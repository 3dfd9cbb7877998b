"""What a receipt holds, as tables on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from twofold.clock import from_epoch_us

if TYPE_CHECKING:
    from serving.receipts.token import Contents


def receipt_table(contents: Contents, signature: str) -> Table:
    """Everything but the lanes, one thing a row; `signature` says what was found of that."""
    made, asked = contents.made, contents.asked
    table = Table(show_header=False, box=None)
    published = f", of {_time(made.published_us)}" if made.sequence else " (nothing was published yet)"
    rows = {
        "signature": signature,
        "view": f"{asked.query.get('view')}, hash {asked.view_hash}",
        **{f"asked {name}": _asked(name, value) for name, value in asked.query.items() if name != "view"},
        "publication": f"{made.sequence}{published}",
        "decoder": made.decoder_hash,
        "sources": made.sources_hash or "none took part: the batch side alone",
    }
    for name, value in rows.items():
        table.add_row(name, str(value))
    return table


def lane_table(contents: Contents) -> Table:
    """Cut and position of each lane, and what was lost in it."""
    made = contents.made
    cut, positions = made.cut, made.positions
    lost: dict[str, list[str]] = {}
    for lane, first, end in made.lost:
        lost.setdefault(lane, []).append(f"{first} to {end - 1}")
    table = Table("lane", "cut", "position", "lost", box=None)
    for lane in sorted({*cut, *positions}):
        table.add_row(lane, str(cut.get(lane, "")), str(positions.get(lane, "")), ", ".join(lost.get(lane, [])))
    return table


def _asked(name: str, value: object) -> str:
    if isinstance(value, int) and name in {"start_us", "end_us"}:
        return _time(value)
    return str(value)


def _time(time_us: int) -> str:
    return from_epoch_us(time_us).isoformat().replace("+00:00", "Z")
