"""Findings: what is wrong, where, what it means, and what would mend it."""

from __future__ import annotations

from dataclasses import dataclass

GO_BACK = "Go back to the last whole publication: `twofold doctor --mend`."
"""What mends a newest publication that cannot be read whole."""

GIVE_UP = "Bring it back from a copy, or give up what was made of it: `twofold doctor --mend`."
"""What can be done about an older publication that cannot be read whole."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        check: What was looked at: `commit`, `checkpoint`, `data file`, `table`, `publication`, `content`, `event log`.
        place: Where it is, such as `trades, version 7`.
        sentence: What it is, and what it means.
        mend: What would mend it; None where nothing does.
    """

    check: str
    place: str
    sentence: str
    mend: str | None = None

    def __str__(self) -> str:
        return f"{self.check} | {self.place}: {self.sentence} {self.mend or 'Nothing mends this.'}"
