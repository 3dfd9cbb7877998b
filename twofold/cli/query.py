"""`twofold query`: rows of a view, asked of the serving API."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from twofold.settings import load_settings

_NEWEST = 10
"""Windows per symbol that are shown when nothing is said about them."""
_WIDTH_OF_A_FILE = 250


def query(
    view: Annotated[str, typer.Argument(help="A view, such as bars or taker_flow.")],
    *,
    venue: Annotated[str | None, typer.Option(help="Only this venue.", show_default=False)] = None,
    symbol: Annotated[str | None, typer.Option(help="Only this symbol.", show_default=False)] = None,
    interval: Annotated[
        str | None, typer.Option(help="A multiple of the view's grain: 1m, 5m, 1h, 1d.", show_default="the grain")
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="First window start, RFC 3339 or epoch milliseconds.", show_default=False)
    ] = None,
    end: Annotated[str | None, typer.Option(help="Before this window start, likewise.", show_default=False)] = None,
    last: Annotated[
        int | None,
        typer.Option(help="The newest windows, this many per symbol.", show_default="10 without start and end"),
    ] = None,
    base: Annotated[
        Literal["live", "published"] | None,
        typer.Option(
            help="published: what the batch side has made public, alone.",
            show_default="live, or published while a cycle is held",
        ),
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="Only of what had arrived by then, a time likewise.", show_default=False)
    ] = None,
    known_after: Annotated[
        str | None,
        typer.Option(help="Only of what had arrived so long after each window's end: 2s, 500ms.", show_default=False),
    ] = None,
) -> None:
    """Print rows of VIEW, batch and live merged, with the finality of each."""
    from rich.console import Console

    from twofold.cli.view_table import freshness_line, view_table
    from twofold.serving_client import ask

    settings = load_settings()
    if start is None and end is None and last is None:
        last = _NEWEST
    asked = {
        "venue": venue,
        "symbol": symbol,
        "interval": interval,
        "start": start,
        "end": end,
        "last": last,
        "base": base,
        "as_of": as_of,
        "known_after": known_after,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    answer = ask(settings.serving_address, view, given, api_key=settings.api_key)
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_FILE
    if answer["rows"]:
        console.print(view_table(answer["rows"]))
    else:
        console.print("No trades in that range.")
    console.print(freshness_line(answer))
