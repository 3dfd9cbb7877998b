"""`twofold doctor`: whether the lake is whole, and what would mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from twofold.errors import LakeError, TurnTaken
from twofold.settings import Settings, load_settings

if TYPE_CHECKING:
    from batch_layer.doctor import Examination, Mend
    from twofold.lake import Lake


def doctor(
    mend: Annotated[bool, typer.Option("--mend", help="Mend what can be mended, asking before each step.")] = False,  # noqa: FBT002 - a flag
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, where nothing can be lost by it.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Check the lake, its publications and the event log behind them; exit code 1 where something is wrong."""
    from batch_layer.doctor import examine
    from twofold.event_log.opening import log_opener
    from twofold.lake import Lake

    if yes and not mend:
        raise typer.BadParameter("--yes goes with --mend: without it nothing is done that could be asked about.")
    settings = load_settings()
    lake = Lake(settings.lake_root)
    found = examine(lake, log_opener(settings), settings.sources)
    _show(found)
    if mend and found.findings:
        found = _mend(lake, settings, always=yes)
    if found.findings:
        raise typer.Exit(1)


def _show(found: Examination) -> None:
    for finding in found.findings:
        typer.echo(str(finding))
    for what in found.unchecked:
        typer.echo(f"not checked | {what}")
    if found.findings:
        typer.echo(f"Findings: {len(found.findings)}.")
    else:
        typer.echo(f"Sound: {len(found.logs)} tables, {len(found.published)} publications.")


def _mend(lake: Lake, settings: Settings, *, always: bool) -> Examination:
    """Carry out one mend after the other, looking at everything again after each; returns what is left."""
    from batch_layer.doctor import Definitions, examine, mends
    from batch_layer.turn import turn
    from twofold.event_log.opening import log_opener

    definitions = Definitions(settings.sources, settings.default_source)
    done_with: set[str] = set()
    try:
        with turn(lake):
            found = examine(lake, log_opener(settings), settings.sources)
            while left := [mend for mend in mends(found, definitions) if mend.sentence not in done_with]:
                done_with.add(left[0].sentence)
                typer.echo(f"\n{left[0].sentence}")
                if _is_agreed(left[0], always=always):
                    _carry_out(left[0], lake)
                    found = examine(lake, log_opener(settings), settings.sources)
    except TurnTaken:
        raise TurnTaken(
            f"A batch cycle is at work on {lake.root}, so nothing is mended. Stop the cycles (`twofold up`, or the "
            "deployment), and run `twofold doctor --mend` again."
        ) from None
    typer.echo("\nAfter mending:")
    _show(found)
    return found


def _is_agreed(mend: Mend, *, always: bool) -> bool:
    if not always:
        return typer.confirm("Do it?")
    if mend.may_lose:
        typer.echo(
            "Not done without asking, since something may be lost that can still be had: run `twofold doctor --mend` "
            "without --yes."
        )
    return not mend.may_lose


def _carry_out(mend: Mend, lake: Lake) -> None:
    from twofold.clock import utc_now

    try:
        typer.echo(mend.carry_out(lake, utc_now))
    except LakeError as error:
        typer.echo(f"It could not be done: {error}")
