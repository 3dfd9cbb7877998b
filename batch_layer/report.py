"""The report of a cycle: what it read, what became of it, and how far the cut moved."""

from __future__ import annotations

from typing import Any

from batch_layer.cycle import Folded
from batch_layer.intake import Intake
from twofold.account import Account
from twofold.publication import Publication


def by_lane(parent: Publication, intake: Intake, folded: Folded) -> list[dict[str, Any]]:
    """One row per lane: records read, by what became of them, ids missing by now, and the old and new cut.

    Of closed lanes only those that had something. Beside the number of lost offsets stands which ones they are, and
    whether the lane stalled.

    An id is missing in the lane of the trade after it, while its gap is open.
    """
    lanes = sorted({*intake.log.open_lanes(intake.cut), *folded.accounts, *folded.missing})
    return [_row(lane, parent.cut.get(lane, 0), intake, folded) for lane in lanes]


def _row(lane: str, old_cut: int, intake: Intake, folded: Folded) -> dict[str, Any]:
    account = folded.accounts.get(lane, Account())
    return {
        "lane": lane,
        "read": account.read,
        "folded": account.folded,
        "duplicates": account.duplicates,
        "dead letters": account.dead_letters,
        "lost": account.lost,
        "excluded": account.excluded,
        "lost offsets": ", ".join(str(gone) for gone in intake.gone if gone.lane == lane),
        "missing": folded.missing.get(lane, 0),
        "old cut": old_cut,
        "new cut": intake.cut.get(lane, 0),
        "stalled": lane in intake.stalled,
    }
