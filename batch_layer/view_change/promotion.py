"""Promotion and retirement: which edition of a view is served, and which one goes."""

from __future__ import annotations

from dataclasses import replace

from batch_layer.view_change.changing import Change, Changed, change
from twofold.clock import Clock, utc_now
from twofold.edition import Edition
from twofold.errors import Superseded
from twofold.lake import Lake
from twofold.publication import Publication


def promote(lake: Lake, edition: Edition, clock: Clock = utc_now) -> Changed:
    """Have an edition served, in one publication; the one that was served stands beside it from then on.

    Both have all that is published, since cycles add to both, so that it can be taken back by promoting the other.

    Raises:
        NoLake: nothing was published yet.
        TurnTaken: batch cycles have been at work all the time.
        Superseded: another writer published first, or retired the edition; nothing was changed.
    """

    def wanted(parent: Publication, sequence: int) -> Change | None:
        now = _as_it_is(parent, edition)
        if now.state == "served":
            return None
        return Change([_promoted(each, now, sequence) for each in parent.editions], parent.tables)

    return change(lake, clock, wanted, edition.name, edition.hash)


def retire(lake: Lake, edition: Edition, clock: Clock = utc_now) -> Changed:
    """Let an edition go that is not served: cycles leave it, and its receipts say that it was retired.

    Its table stays as it is.

    Raises:
        NoLake: nothing was published yet.
        TurnTaken: batch cycles have been at work all the time.
        Superseded: another writer published first, or the edition is served by now; nothing was changed.
    """

    def wanted(parent: Publication, sequence: int) -> Change | None:
        now = next((each for each in parent.editions if _is_same(each, edition)), edition)
        if now.state == "retired":
            return None
        if now.state == "served":
            raise Superseded(f"The view {now.name!r} is served as {now.hash} by now, so that it was not retired.")
        gone = replace(now, state="retired", since=sequence, definition="")
        tables = {name: version for name, version in parent.tables.items() if name != now.table}
        return Change([gone if each is now else each for each in parent.editions], tables)

    return change(lake, clock, wanted, edition.name, edition.hash)


def _promoted(each: Edition, chosen: Edition, sequence: int) -> Edition:
    if each is chosen:
        return replace(each, state="served", since=sequence)
    if each.name == chosen.name and each.state == "served":
        return replace(each, state="beside", since=sequence)
    return each


def _as_it_is(parent: Publication, edition: Edition) -> Edition:
    for each in parent.editions:
        if _is_same(each, edition) and each.is_carried:
            return each
    raise Superseded(f"The view {edition.name!r} is not carried as {edition.hash} any more. Nothing was changed.")


def _is_same(one: Edition, other: Edition) -> bool:
    return (one.name, one.hash) == (other.name, other.hash)
