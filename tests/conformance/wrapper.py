"""The kit's wrapper: the product's command line, with something done to it that only tests do.

    python -m conformance.wrapper [options] -- cycle

Nothing of the product knows of it.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

from laws.commit_points import Moment, at_commit


def main() -> None:
    """Run the command with what the options say."""
    parser = argparse.ArgumentParser(prog="python -m conformance.wrapper")
    parser.add_argument("--kill", nargs=2, metavar=("MOMENT", "TABLE"), help="kill it there, or before it publishes")
    parser.add_argument("--halt", nargs=2, metavar=("MOMENT", "TABLE"), help="halt it there, or before it publishes")
    parser.add_argument("--tell", type=Path, help="the file that says where it was killed or halted")
    parser.add_argument("--compact", action="store_true", help="rewrite what is touched, as after many cycles")
    parser.add_argument("--without-turn", action="store_true", help="do not wait for the turn of batch cycles")
    parser.add_argument("--largest-file", type=int, metavar="BYTES", help="have no larger file written")
    parser.add_argument("--fault", help="plant a fault of twin.faults")
    parser.add_argument("command", nargs="+", help="what `twofold` is given, after --")
    options = parser.parse_args()
    with ExitStack() as stack:
        if options.fault:
            stack.enter_context(_planted(options.fault))
        if options.compact:
            stack.enter_context(_compacting())
        if options.without_turn:
            stack.enter_context(without_turn())
        for number, point in ((signal.SIGKILL, options.kill), (signal.SIGSTOP, options.halt)):
            if point:
                stack.enter_context(_signalled(number, *point, options.tell))
        if options.largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (options.largest_file, options.largest_file))
        _run(options.command)


def _run(command: list[str]) -> None:
    from twofold.cli.app import main as twofold  # noqa: PLC0415  # only now, as the command line itself does

    sys.argv = ["twofold", *command]
    twofold()


@contextmanager
def _planted(name: str) -> Iterator[None]:
    from twin.faults import FAULTS  # noqa: PLC0415  # it loads every layer

    with FAULTS[name]():
        yield


@contextmanager
def _compacting() -> Iterator[None]:
    from compaction import compacting  # noqa: PLC0415  # it loads the batch layer

    with compacting():
        yield


@contextmanager
def without_turn() -> Iterator[None]:
    """Have who asks for the turn have it, whoever holds it."""
    from batch_layer import turn  # noqa: PLC0415

    with patch.object(turn, "turn", lambda *_: nullcontext()):
        yield


@contextmanager
def _signalled(number: signal.Signals, moment: Moment, table: str, told: Path) -> Iterator[None]:
    """Send this process a signal at a commit point, once; if it does not come to that one, before it publishes."""
    happened: list[str] = []

    def act(where: str) -> Callable[[str], None]:
        def at_point(what: str) -> None:
            if not happened:
                happened.append(what)
                told.write_text(f"{where} ({what})", encoding="utf-8")
                os.kill(os.getpid(), number)

        return at_point

    with ExitStack() as stack:
        stack.enter_context(at_commit(moment, table, act(f"{moment} {table}")))
        if table != "publications":
            stack.enter_context(at_commit("before", "publications", act("before publications")))
        yield


if __name__ == "__main__":
    main()
