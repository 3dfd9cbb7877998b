"""What was checked of batch cycles, what is held, and what is excluded, as it is answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from serving.query import rfc3339
from twofold.clock import to_epoch_us
from twofold.hold import Hold
from twofold.publication import Publication

MOST = 20
"""Holds that are told at most."""


def quality_told(publication: Publication, holds: Sequence[Hold]) -> dict[str, Any]:
    """All of it as JSON data.

    Args:
        publication: the newest.
        holds: every hold that there ever was, by number.
    """
    waiting = [hold.number for hold in holds if hold.is_open(publication)]
    return {
        "sequence": publication.sequence,
        "held": min(waiting, default=None),
        "checks": [asdict(each) for each in publication.quality.checks],
        "holds": [_hold(hold, is_open=hold.number in waiting) for hold in holds[-MOST:][::-1]],
        "exclusions": [asdict(each) for each in publication.exclusions],
    }


def _hold(hold: Hold, *, is_open: bool) -> dict[str, Any]:
    return {
        "number": hold.number,
        "held_at": rfc3339(to_epoch_us(hold.held_at)),
        "parent": hold.parent,
        "is_open": is_open,
        "begins": dict(hold.begins),
        "cut": dict(hold.cut),
        "records": hold.records,
        "checks": [asdict(each) for each in hold.quality.checks],
        "failing": [each._asdict() for each in hold.failing],
    }
