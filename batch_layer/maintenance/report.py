"""The report of a maintenance: a row for each table, and a sentence on what stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from batch_layer.maintenance.maintenance import Tidied
from batch_layer.maintenance.retention import Retention


def by_table(tidied: Sequence[Tidied], *, is_done: bool) -> list[dict[str, Any]]:
    """One row per table: its data files, and what was removed; of what is only foretold, how many would be joined."""
    return [
        {
            "table": each.table,
            "files": each.before,
            **({"files now": each.after} if is_done else {"to be joined": each.joined}),
            "removed": len(each.removed.data),
            "bytes freed": each.removed.data_bytes,
            "log files removed": len(each.removed.log),
        }
        for each in tidied
    ]


def about(retention: Retention) -> str:
    """What stays."""
    first = retention.released + 1
    return (
        f"The table versions of {retention.kept} publications stay, from publication {first} on. Answers of those "
        "before it can still be made again."
    )
