"""`twofold held`: batch cycles that failed their checks, listed, shown, and published as they are or in part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from twofold.settings import load_settings

if TYPE_CHECKING:
    from twofold.exclusion import Exclusion
    from twofold.hold import Hold

_WIDTH_OF_A_FILE = 250

held = typer.Typer(
    name="held",
    help="List, inspect, release and exclude what failed its checks and was not published.",
    no_args_is_help=True,
)

Number = Annotated[int, typer.Argument(help="The hold's number, as `twofold held list` has it.")]


@held.command("list")
def list_holds() -> None:
    """List all holds, the newest last, and which of them wait."""
    from twofold.cli.hold_table import hold_table
    from twofold.hold import Holds
    from twofold.lake import Lake
    from twofold.publication import Publications

    lake = Lake(load_settings().lake_root)
    newest = Publications(lake).newest()
    holds = Holds(lake).all()
    if not holds:
        typer.echo(f"Nothing was ever held. Publication {newest.sequence} is the newest.")
        return
    _console().print(hold_table(holds, newest))


@held.command()
def show(number: Number) -> None:
    """Show what the checks of a hold found, and which trades failed them."""
    from twofold.cli.hold_table import hold_lines
    from twofold.hold import Holds
    from twofold.lake import Lake
    from twofold.publication import Publications

    lake = Lake(load_settings().lake_root)
    newest = Publications(lake).newest()
    for line in hold_lines(_found(Holds(lake).all(), number), newest):
        typer.echo(line)


@held.command()
def release(number: Number) -> None:
    """Publish what is held as it is."""
    from batch_layer.engine import polars_cycle
    from batch_layer.releasing import release as publish
    from twofold.lake import Lake

    settings = load_settings()
    lake = Lake(settings.lake_root)
    publication = publish(lake, lambda: polars_cycle(settings, lake), number)
    typer.echo(f"Publication {publication.sequence} has what was held as number {number}.")


@held.command()
def exclude(
    number: Number,
    *,
    records: Annotated[
        list[str] | None,
        typer.Option(
            help="Only these: LANE:OFFSET or LANE:FIRST-LAST. May be given several times.",
            show_default="all trades from the first to the last that failed, of each symbol in each lane",
        ),
    ] = None,
    symbol: Annotated[str, typer.Option(help="Of these only trades of this symbol.", show_default=False)] = "",
    reason: Annotated[str, typer.Option(help="Why, for those who look later.", show_default=False)] = "",
) -> None:
    """Publish what is held without some of its trades, for good. Their records stay in `raw`, and are counted.

    A range may reach beyond what is held: then trades that come are excluded too, by the batch and the speed side.
    """
    from batch_layer.engine import polars_cycle
    from batch_layer.releasing import exclude as publish
    from batch_layer.releasing import failing_ones
    from twofold.hold import Holds
    from twofold.lake import Lake

    settings = load_settings()
    lake = Lake(settings.lake_root)
    if records:
        wanted = [_range(each, symbol, reason) for each in records]
    else:
        hold = _found(Holds(lake).all(), number)
        wanted = [each for each in failing_ones(hold, reason) if symbol in ("", each.symbol)]
    publication = publish(lake, lambda: polars_cycle(settings, lake), number, wanted)
    typer.echo(f"Publication {publication.sequence} has what was held as number {number}, without these trades:")
    for each in wanted:
        named = f" of {each.symbol}" if each.symbol else ""
        typer.echo(f"  {each.lane}:{each.first_offset}-{each.next_offset - 1}{named}")


def _range(text: str, symbol: str, reason: str) -> Exclusion:
    """Read LANE:OFFSET or LANE:FIRST-LAST."""
    from twofold.exclusion import Exclusion

    lane, _, offsets = text.rpartition(":")
    first, _, last = offsets.partition("-")
    if not lane or not first.isdecimal() or not (last or first).isdecimal():
        raise typer.BadParameter(f"{text!r} is not LANE:OFFSET or LANE:FIRST-LAST, as `twofold held show` has them")
    return Exclusion(lane, int(first), int(last or first) + 1, symbol, reason=reason)


def _found(holds: tuple[Hold, ...], number: int) -> Hold:
    from twofold.errors import UnknownName

    by_number = {hold.number: hold for hold in holds}
    if number not in by_number:
        raise UnknownName("hold", str(number), map(str, by_number))
    return by_number[number]


def _console() -> Console:
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_FILE
    return console
