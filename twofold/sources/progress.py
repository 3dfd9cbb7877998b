"""Progress: how much was sent, how quickly and how far behind, for a person or for a log."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

_BAR_EVERY_S = 0.2
_LINE_EVERY_S = 5.0


class SendingProgress:
    """Shows the sending of messages: a bar on a terminal, else a plain line every 5 s; a closing line on both.

    A context manager.

    Args:
        title: what is sent.
        total: what `done` counts up to; None when there is no end to count up to.
        console: where to show it.
        done: says how far the sending is; without it, messages are counted.
        now: a clock in seconds that never goes back.
    """

    def __init__(
        self,
        title: str,
        total: float | None,
        console: Console,
        done: Callable[[], float] | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._title = title
        self._total = total
        self._console = console
        self._done = done
        self._now = now
        self._every_s = _BAR_EVERY_S if console.is_terminal else _LINE_EVERY_S
        self._sent = 0
        self._lag_s = 0.0
        self._start_s = self._shown_s = now()
        self._shown_sent = 0
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            *(() if total is None else (TaskProgressColumn(),)),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task(title, total=total, figures="")

    def sent(self, lag_s: float) -> None:
        """Count one more message, which was so far behind its schedule."""
        self._sent += 1
        self._lag_s = lag_s
        now_s = self._now()
        if now_s - self._shown_s >= self._every_s:
            self._show(now_s)

    def __enter__(self) -> Self:
        """Start the bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the bar and leave the closing line."""
        self._bar.stop()
        took_s = self._now() - self._start_s
        self._print(f"{self._title}: {self._sent:,} sent in {took_s:.1f} s ({_rate(self._sent, took_s)}).")

    def _show(self, now_s: float) -> None:
        done = self._sent if self._done is None else self._done()
        rate = _rate(self._sent - self._shown_sent, now_s - self._shown_s)
        self._shown_s, self._shown_sent = now_s, self._sent
        figures = f"{self._sent:,} sent, {rate}, {self._lag_s:.1f} s behind"
        if self._console.is_terminal:
            self._bar.update(self._task, completed=done, figures=figures)
        else:
            share = "" if self._total is None else f"{done / self._total:.0%}, "
            self._print(f"{self._title}: {share}{figures}")

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _rate(count: int, over_s: float) -> str:
    return f"{count / over_s:,.0f} trades/s" if over_s > 0 else "- trades/s"
