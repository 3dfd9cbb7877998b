"""`twofold keys`: the API keys that serving takes, made, listed, rotated and revoked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from twofold.settings import load_settings

if TYPE_CHECKING:
    from serving.access.keys import KeyFile

_WIDTH_OF_A_FILE = 250
_OVERLAP_HOURS = 24.0

keys = typer.Typer(
    name="keys", help="Make, list, rotate and revoke the API keys that serving takes.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="Whose it is, such as a person, a program or a team.")]


@keys.command("list")
def list_keys() -> None:
    """List the keys; of the keys themselves only their hashes are kept."""
    from rich.console import Console
    from rich.table import Table

    from twofold.clock import utc_now

    file = _file()
    found = file.read()
    if not found:
        typer.echo(f"There are no keys in {file.file}. Make one: twofold keys create NAME")
        return
    now = utc_now()
    table = Table("name", "id", "scopes", "made", "valid until", box=None, pad_edge=False)
    for key in found:
        until = "for good" if key.expires_at is None else _minute(key.expires_at)
        if not key.is_valid(now):
            until += ", over"
        table.add_row(key.name, key.id, ", ".join(key.scopes), _minute(key.created_at), until)
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_FILE
    console.print(table)


@keys.command()
def create(
    name: Name,
    *,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What it is for: read, stream or sql; may stand there more than once.", show_default="all"),
    ] = None,
) -> None:
    """Make a key and print it, this once. Serving that runs takes it within a second."""
    from serving.access.scopes import SCOPES
    from twofold.errors import UnknownName

    for each in scope or ():
        if each not in SCOPES:
            raise UnknownName("scope", each, SCOPES)
    _tell(_file().create(name, [each for each in SCOPES if scope is None or each in scope]), "It is shown this once.")


@keys.command()
def rotate(
    name: Name,
    *,
    overlap_hours: Annotated[
        float, typer.Option(min=0, max=8760, help="For how long the old key is taken beside the new one.")
    ] = _OVERLAP_HOURS,
) -> None:
    """Make a new key in place of NAME's, with the same scopes, and print it, this once."""
    made = _file().rotate(name, timedelta(hours=overlap_hours))
    _tell(made, f"It is shown this once. The old key is taken for {overlap_hours:g} more hours.")


@keys.command()
def revoke(name: Name) -> None:
    """Take NAME's keys away. Serving refuses them within a second, and ends their streams some seconds later."""
    count = _file().revoke(name)
    typer.echo(f"{'The key' if count == 1 else f'{count} keys'} of {name!r} will not be taken any more.")


def _minute(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _file() -> KeyFile:
    from serving.access.keys import KeyFile

    return KeyFile(load_settings().api_key_file)


def _tell(key: str, how: str) -> None:
    """Print a key alone on standard output, for a pipe, and what to say beside it on standard error."""
    typer.echo(how, err=True)
    typer.echo("Clients send it as `Authorization: Bearer KEY`; twofold's take TWOFOLD_API_KEY.", err=True)
    typer.echo(key)
