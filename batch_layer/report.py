"""The report of a cycle: what it read, what became of it, and how far the cut moved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batch_layer.cycle import Folded
from batch_layer.intake import Intake
from twofold.account import Account
from twofold.publication import Publication


def by_lane(parent: Publication, intake: Intake, folded: Folded) -> list[dict[str, Any]]:
    """One row per lane: records read, folded, repeated, rejected, lost, and the old and new cut."""
    lanes = sorted({*intake.cut, *folded.accounts})
    return [_row(lane, parent.cut.get(lane, 0), intake.cut.get(lane, 0), folded.accounts) for lane in lanes]


def _row(lane: str, old_cut: int, new_cut: int, accounts: Mapping[str, Account]) -> dict[str, Any]:
    account = accounts.get(lane, Account())
    return {
        "lane": lane,
        "read": account.read,
        "folded": account.folded,
        "duplicates": account.duplicates,
        "dead letters": account.dead_letters,
        "lost": account.lost,
        "old cut": old_cut,
        "new cut": new_cut,
    }
