"""`twofold simulate`: a made-up market, sent live."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from twofold.settings import load_settings
from twofold.sources.faults import FaultShares
from twofold.sources.message import source_headers
from twofold.sources.selection import select_source
from twofold.sources.simulation import simulate_market


def simulate(
    *,
    rate: Annotated[
        float, typer.Option(min=0.001, help="Trades a second over the long run; bursts go above it.")
    ] = 100.0,
    symbols: Annotated[int, typer.Option(min=1, max=100_000, help="How many symbols trade.")] = 20,
    seed: Annotated[int, typer.Option(help="Equal seeds make equal markets.")] = 1,
    count: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many trades.", show_default="until stopped")
    ] = None,
    late: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share that arrives up to 5 s late.")] = 0.0,
    repeated: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share that is sent twice.")] = 0.0,
    missing: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share that never arrives.")] = 0.0,
    broken: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share that has a broken record sent before it.")
    ] = 0.0,
    conflicting: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share that is sent a second time with another body.")
    ] = 0.0,
) -> None:
    """Send the trades of a made-up market to the event log: uneven volumes, bursts, and faults on request."""
    settings = load_settings()
    name = select_source(settings, "canonical")

    from twofold.sources.sending import send

    send(
        simulate_market(
            rate=rate,
            symbols=symbols,
            seed=seed,
            start_us=time.time_ns() // 1000,
            shares=FaultShares(late=late, repeated=repeated, missing=missing, broken=broken, conflicting=conflicting),
            headers=source_headers(name, settings.sources[name]),
            count=count,
        ),
        settings,
        title=f"Simulated market of {symbols} symbols",
        speed=1.0,
        total=count,
    )
