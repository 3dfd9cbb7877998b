"""What a person does about a hold: have it published as it is, or without some of its trades."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from batch_layer.cycle import BatchCycle
from batch_layer.turn import turn
from twofold.errors import ExclusionRefused, UnknownName
from twofold.exclusion import Exclusion
from twofold.hold import Hold, Holds
from twofold.lake import Lake
from twofold.publication import Publication

TURN_WAIT_S = 300.0
"""Seconds that other cycles are waited for."""


def release(lake: Lake, new_cycle: Callable[[], BatchCycle], number: int) -> Publication:
    """Publish what is held as it is: a cycle over its records, from the newest publication on.

    Args:
        lake: which lake.
        new_cycle: a cycle from the newest publication on.
        number: of the hold.

    Raises:
        UnknownName: no hold of that number is open.
        TurnTaken: other cycles have been at work all the time.
        LakeError: its records cannot be read, or nothing can be written.
    """
    with turn(lake, TURN_WAIT_S):
        cycle = new_cycle()
        intake = cycle.take_up(open_hold(lake, cycle.parent, number))
        folded = cycle.fold(intake)
        return cycle.publish_checked(intake, folded, cycle.check(intake, folded))


def exclude(
    lake: Lake, new_cycle: Callable[[], BatchCycle], number: int, exclusions: Sequence[Exclusion]
) -> Publication:
    """Publish what is held without some of its trades, if it passes its checks so.

    Args:
        lake: which lake.
        new_cycle: a cycle from the newest publication on.
        number: of the hold.
        exclusions: which trades; they may reach beyond what is held, and then are about what comes too.

    Raises:
        UnknownName: no hold of that number is open.
        ExclusionRefused: one is not about what is held, or the rest fails its checks still; nothing was published.
        TurnTaken: other cycles have been at work all the time.
        LakeError: its records cannot be read, or nothing can be written.
    """
    with turn(lake, TURN_WAIT_S):
        cycle = new_cycle()
        hold = open_hold(lake, cycle.parent, number)
        _check_range(hold, exclusions)
        intake = cycle.take_up(hold, exclusions)
        folded = cycle.fold(intake)
        checked = cycle.check(intake, folded)
        if checked.quality.failed:
            found = "; ".join(f"{each.check} of {each.table}: {each.detail}" for each in checked.quality.failed)
            raise ExclusionRefused(
                f"Without those trades hold {number} fails still ({found}). Nothing was published. Exclude these too, "
                f"or take it as it is by `twofold held release {number}`."
            )
        return cycle.publish_checked(intake, folded, checked)


def failing_ones(hold: Hold, reason: str) -> list[Exclusion]:
    """The trades that failed a check: of each symbol in each lane, those from the first such to the last."""
    return [
        Exclusion(each.lane, each.first_offset, each.last_offset + 1, each.symbol, reason=reason)
        for each in hold.failing
    ]


def open_hold(lake: Lake, newest: Publication, number: int) -> Hold:
    """The hold of that number, which waits.

    Raises:
        UnknownName: there is none; the message names those that wait.
    """
    waiting = {hold.number: hold for hold in Holds(lake).open_on(newest)}
    if number not in waiting:
        raise UnknownName("open hold", str(number), map(str, waiting))
    return waiting[number]


def _check_range(hold: Hold, exclusions: Sequence[Exclusion]) -> None:
    for each in exclusions:
        if each.lane not in hold.cut:
            raise ExclusionRefused(
                f"Hold {hold.number} has nothing of lane {each.lane}. It is of {', '.join(hold.cut)}."
            )
        begin, end = hold.begins[each.lane], hold.cut[each.lane]
        if not begin <= each.first_offset < min(each.next_offset, end):
            raise ExclusionRefused(
                f"The range {each.first_offset} to {each.next_offset - 1} of lane {each.lane} does not begin within "
                f"what is held there, which is {begin} to {end - 1}. What is below that is public and stays so."
            )
