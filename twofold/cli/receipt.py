"""`twofold receipt`: what an answer was made of, and whether it comes out the same when it is made again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from twofold.errors import QueryError
from twofold.settings import Settings, load_settings

receipt = typer.Typer(
    name="receipt", help="What answers were made of, and whether they can be made again.", no_args_is_help=True
)

_Given = Annotated[
    str, typer.Argument(metavar="TOKEN|FILE", help="A receipt's token, or a file with an answer as JSON.")
]
_SHOWN = 20


@receipt.command()
def show(given: _Given) -> None:
    """Print what an answer was made of."""
    from rich.console import Console

    from serving.receipts.token import read_unverified
    from twofold.cli.receipt_table import lane_table, receipt_table

    token, _ = _read(given)
    contents = read_unverified(token)
    console = Console()
    console.print(receipt_table(contents, _signature(token, load_settings())))
    console.print(lane_table(contents))


@receipt.command()
def verify(
    given: _Given,
    *,
    directly: Annotated[
        bool, typer.Option("--directly", help="Make it again here, from the lake and Kafka, without serving.")
    ] = False,
) -> None:
    """Make an answer again and compare; exit code 1 where it differs. Of a token alone, see that it can be made."""
    from serving.receipts.differences import differences

    token, saved = _read(given)
    again = _again(token, load_settings(), directly=directly)
    rows = f"{len(again['rows'])} rows of publication {again['receipt']['sequence']}"
    if saved is None:
        typer.echo(f"It can be made again: {rows}. To compare it with the answer, name a file that has that.")
        return
    found = differences(saved, again)
    if not found:
        typer.echo(f"Equal: {rows}.")
        return
    for line in found[:_SHOWN]:
        typer.echo(line)
    typer.echo(f"Differences: {len(found)}. Saved is what the file has, again what was made again.")
    raise typer.Exit(1)


def _read(given: str) -> tuple[str, dict[str, Any] | None]:
    """The token that is meant, and the answer that was saved with it, if it is a file."""
    import orjson

    file = Path(given)
    if len(given) > 200 or not file.is_file():  # noqa: PLR2004  # no name of a file is so long, and every token is
        return given, None
    try:
        saved = orjson.loads(file.read_bytes())
        token = saved["receipt"]["token"]
        rows = saved["rows"]
    except (OSError, ValueError, KeyError, TypeError):
        rows = token = None
    if not isinstance(token, str) or not isinstance(rows, list):
        raise QueryError(
            f"{given} is no answer of the serving API: it must be JSON with `rows`, and with a `receipt` that has a "
            "`token`."
        )
    return token, saved


def _again(token: str, settings: Settings, *, directly: bool) -> dict[str, Any]:
    if not directly:
        from twofold.serving_client import ask_again

        return ask_again(settings.serving_address, token, api_key=settings.api_key)
    from serving.receipts.opening import open_remaker

    return open_remaker(settings).make_again(token).parsed()


def _signature(token: str, settings: Settings) -> str:
    """What can be said of a signature here; no keys are made for it."""
    from serving.receipts.keys import load_keys
    from serving.receipts.token import TokenSigner
    from twofold.errors import ReceiptInvalid

    file = settings.receipt_key_file
    if not file.exists():
        return f"not checked: there is no file {file}"
    try:
        TokenSigner(load_keys(file)).read(token)
    except ReceiptInvalid:
        return f"does not fit any key in {file}"
    return "fits"
