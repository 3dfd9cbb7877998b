"""`twofold replay`: a file of recorded trades, sent as it happened or quicker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from twofold.settings import load_settings
from twofold.sources.capture import Capture
from twofold.sources.pacing import parse_speed
from twofold.sources.playback import schedule_frames
from twofold.sources.selection import select_source


def replay(
    file: Annotated[Path, typer.Argument(help="A capture or NDJSON, gzipped or not.", show_default=False)],
    speed: Annotated[str, typer.Option(help="How many times as fast as recorded, such as 10, or max.")] = "1",
    source: Annotated[
        str | None,
        typer.Option(help="The declared source of the trades; by default the one of their format.", show_default=False),
    ] = None,
) -> None:
    """Send the trades of FILE to the event log, at the speed at which they were recorded or a multiple of it."""
    settings = load_settings()
    times_as_fast = parse_speed(speed)
    capture = Capture(file)
    name = select_source(settings, capture.wire_format, source)

    from twofold.sources.sending import send

    send(
        schedule_frames(capture.frames(), name, settings.sources[name]),
        settings,
        title=f"Replay of {file.name}",
        speed=times_as_fast,
        total=capture.size_bytes,
        done=lambda: capture.read_bytes,
    )
