"""An executor for tests whose steps come one after the other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import TypeVar

Made = TypeVar("Made")


class AtOnce(Executor):
    """Does what it is given at once, and not beside what else happens."""

    def submit(self, work: Callable[..., Made], /, *arguments: object, **named: object) -> Future[Made]:
        """Do it."""
        done: Future[Made] = Future()
        try:
            done.set_result(work(*arguments, **named))
        except Exception as failure:  # noqa: BLE001  # it is raised where the result is wanted
            done.set_exception(failure)
        return done
