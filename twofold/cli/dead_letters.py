"""`twofold dead-letters`: the records that could not be used, listed, inspected and sent again."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from twofold.settings import load_settings

_SHOWN = 50
_WIDTH_OF_A_FILE = 250

dead_letters = typer.Typer(
    name="dead-letters",
    help="List, inspect and retry the records that could not be used.",
    no_args_is_help=True,
)

ReasonOption = Annotated[str | None, typer.Option(help="Only those of this reason.", show_default=False)]
SourceOption = Annotated[str | None, typer.Option(help="Only those of this source.", show_default=False)]


@dead_letters.command("list")
def list_letters(
    *,
    reason: ReasonOption = None,
    source: SourceOption = None,
    last: Annotated[int, typer.Option(min=1, help="The newest, this many.")] = _SHOWN,
) -> None:
    """List the dead letters of the newest publication, the newest last, and count them by reason."""
    from batch_layer.dead_letters import DeadLetters, by_reason, newest
    from twofold.cli.letter_table import counts_line, letter_table
    from twofold.lake import Lake
    from twofold.publication import Publications

    lake = Lake(load_settings().lake_root)
    publication = Publications(lake).newest()
    letters = DeadLetters(lake, publication).of(reason, source)
    counts = by_reason(letters)
    if not counts:
        typer.echo(f"No dead letters in publication {publication.sequence}.")
        return
    _console().print(letter_table(newest(letters, last)))
    typer.echo(f"Publication {publication.sequence}, {counts_line(counts)}")


@dead_letters.command()
def show(
    lane: Annotated[str, typer.Argument(help="Its lane as listed, or as much of it as leaves no other, such as 3.")],
    offset: Annotated[int, typer.Argument(help="Its offset.")],
) -> None:
    """Show the whole record at LANE and OFFSET, why it could not be used, and what became of retries."""
    from batch_layer.dead_letters import DeadLetters
    from batch_layer.retries import retries_below, with_first_places
    from twofold.cli.letter_table import letter_lines
    from twofold.lake import Lake
    from twofold.publication import Publications

    lake = Lake(load_settings().lake_root)
    publication = Publications(lake).newest()
    letter = with_first_places(DeadLetters(lake, publication).at(lane, offset)).row(0, named=True)
    retries = retries_below(lake, publication).rows(named=True)
    for line in letter_lines(letter, [retry for retry in retries if retry["first_at"] == letter["first_at"]]):
        typer.echo(line)


@dead_letters.command()
def retry(
    lane: Annotated[str | None, typer.Argument(help="The lane of a single one.", show_default=False)] = None,
    offset: Annotated[int | None, typer.Argument(help="The offset of a single one.", show_default=False)] = None,
    *,
    reason: ReasonOption = None,
    source: SourceOption = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Send without asking.")] = False,
) -> None:
    """Send dead letters again, after a decoder was mended or a source declared: those that can be used by now.

    Say which: LANE and OFFSET, --reason, --source or both, or --all. What was retried before is not sent again.

    A retry is a new record of the same bytes, with a header that names the first, which stays a dead letter.
    """
    if (lane is None) != (offset is None):
        raise typer.BadParameter("A single dead letter is named by LANE and OFFSET.")
    if (lane is not None) + bool(reason or source) + everything != 1:
        raise typer.BadParameter("Say which: LANE and OFFSET, --reason, --source or both, or --all.")

    from batch_layer.dead_letters import DeadLetters, newest
    from batch_layer.resending import plan_resending
    from twofold.cli.letter_table import letter_table, plan_lines
    from twofold.event_log.opening import log_opener
    from twofold.lake import Lake
    from twofold.publication import Publications
    from twofold.sources.message import Scheduled
    from twofold.sources.sending import send

    settings = load_settings()
    lake = Lake(settings.lake_root)
    publication = Publications(lake).newest()
    found = DeadLetters(lake, publication)
    letters = found.of(reason, source) if lane is None or offset is None else found.at(lane, offset).lazy()
    plan = plan_resending(lake, publication, letters, log_opener(settings), settings.sources, settings.default_source)
    count = plan.letters.height
    shown = newest(plan.letters.lazy(), _SHOWN)
    if shown:
        _console().print(letter_table(shown))
    for line in plan_lines(count, len(shown), plan.sent_before, plan.refused):
        typer.echo(line)
    if not count:
        return
    records = "1 record" if count == 1 else f"{count:,} records"
    if not yes:
        typer.confirm(f"Send {records} to topic {settings.topic!r} at {settings.brokers}?", abort=True)
    schedule = (Scheduled(0.0, message) for message in plan.messages())
    send(schedule, settings, title="Dead letters", speed=None, total=count)


def _console() -> Console:
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_FILE
    return console
