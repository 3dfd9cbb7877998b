"""The operation of everything on one machine, shown on the terminal."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.live import Live

from twofold.cli.board import WINDOWS, board, settled
from twofold.errors import QueryError
from twofold.lake import Lake
from twofold.publication import found_lake
from twofold.serving_client import ask
from twofold.settings import Settings
from twofold.supervision.keeper import Keeper, Status
from twofold.supervision.local_parts import (
    check_ports,
    local_environment,
    local_parts,
    prefect_address,
    serving_url,
)
from twofold.supervision.supervisor import Supervisor

_EVERY_S = 1.0
_ANSWER_TIMEOUT_S = 1.0
_NEWS_SHOWN = 5


def operate(settings: Settings, source: Sequence[str]) -> None:
    """Run every part until SIGINT or SIGTERM, then stop them all; a second signal kills them.

    Args:
        settings: where each part keeps its things and listens.
        source: the `twofold` command, with its arguments, that sends trades.

    Raises:
        SupervisionError: a port or the data folder is taken, or the parts cannot be looked after.
        LakeError: the lake can neither be read nor founded.
    """
    check_ports(settings)
    found_lake(Lake(settings.lake_root))
    parts = local_parts(settings, source)
    folder = settings.data_folder
    console = Console()
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell starts what runs in the background with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    try:
        with Supervisor(parts, folder / "run", folder / "logs", local_environment(settings, os.environ)) as supervisor:
            try:
                _say_where(console, settings)
                _watch(console, settings, Keeper(parts, supervisor, time.monotonic))
            except KeyboardInterrupt:
                console.print("Stopping everything, the source first; Ctrl-C again kills what is left.")
        console.print("Everything has stopped.")
    except KeyboardInterrupt:
        console.print("Everything was killed.")


def _say_where(console: Console, settings: Settings) -> None:
    for name, place in (
        ("Page", f"{serving_url(settings)}/"),
        ("Bars", f"{serving_url(settings)}/v1/views/bars?last={WINDOWS}"),
        ("API", f"{serving_url(settings)}/docs"),
        ("Prefect", prefect_address(settings)),
        ("Kafka", f"{settings.brokers}, topic {settings.topic}"),
        ("Logs", str((settings.data_folder / "logs").absolute())),
    ):
        console.print(f"{name:8} {place}", soft_wrap=True, highlight=False)


def _watch(console: Console, settings: Settings, keeper: Keeper) -> None:
    """Keep the parts going and show it, for ever: redrawn on a terminal, else a line for each thing that happens."""
    started_s = time.monotonic()
    answer: dict[str, Any] | None = None
    news: deque[str] = deque(maxlen=_NEWS_SHOWN)
    with ExitStack() as stack:
        live = stack.enter_context(Live(console=console, auto_refresh=False)) if console.is_terminal else None
        while True:
            statuses, happened = keeper.step()
            newest = _newest_bars(settings, statuses)
            if newest is not None:
                if answer is None:
                    happened.append(f"first merged answer {time.monotonic() - started_s:.1f} s after the start")
                happened += settled(answer, newest)
                answer = newest
            lines = [f"{datetime.now().astimezone():%H:%M:%S} {line}" for line in happened]
            news.extend(lines)
            if live is not None:
                live.update(board(console, statuses, newest, news), refresh=True)
            for line in lines if live is None else ():
                console.print(line, soft_wrap=True, highlight=False)
            time.sleep(_EVERY_S)


def _newest_bars(settings: Settings, statuses: Sequence[Status]) -> dict[str, Any] | None:
    """Ask serving for the newest bars; None while it does not run, does not answer, or knows of none."""
    if not any(status.name == "serving" and status.state == "running" for status in statuses):
        return None
    try:
        answer = ask(settings.serving_address, "bars", {"last": WINDOWS}, _ANSWER_TIMEOUT_S, api_key=settings.api_key)
    except QueryError:
        return None
    return answer if answer["rows"] else None
