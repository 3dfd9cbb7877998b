"""What the checks of a cycle found, as publications and holds bear it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import orjson

Outcome = Literal["passed", "warned", "failed"]
"""A cycle with a check that failed is held; one that warned is published all the same."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found.

    Attributes:
        check: Its name.
        table: What it looked at: a table that the cycle added to, or `records` for the cycle as a whole.
        outcome: Whether it passed.
        failed: Rows that did not pass, if it is one about rows.
        detail: A sentence on what was found; empty where there is nothing to say.
    """

    check: str
    table: str
    outcome: Outcome = "passed"
    failed: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Quality:
    """What was checked of one cycle.

    Attributes:
        checks: What each check found.
        counts: Records that the newest cycles took in from the event log, this one last: what the next is held against.
    """

    checks: tuple[CheckResult, ...] = ()
    counts: tuple[int, ...] = ()

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The checks that failed."""
        return tuple(each for each in self.checks if each.outcome == "failed")

    def to_json(self) -> str:
        """As a publication or a hold has it."""
        return orjson.dumps({"checks": self.checks, "counts": self.counts}).decode()

    @classmethod
    def from_json(cls, text: str) -> Quality:
        """Read what `to_json` wrote."""
        data: dict[str, Any] = orjson.loads(text)
        return cls(tuple(CheckResult(**each) for each in data["checks"]), tuple(data["counts"]))
