"""Names in a question: one, several, or all that fit a pattern."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from twofold.errors import QueryError, UnknownName

ANY = "*"
_MOST = 100
_SHOWN = 50
_LONGEST = 64


@dataclass(frozen=True)
class Names:
    """Names that are asked for, and patterns in which `*` stands for any characters or none."""

    exact: frozenset[str]
    patterns: tuple[str, ...] = ()

    def fit(self, name: str) -> bool:
        """Whether a name is asked for."""
        return name in self.exact or any(_fits(pattern, name) for pattern in self.patterns)

    def rows(self, frame: pl.DataFrame, column: str) -> pl.Expr:
        """The rows of a frame whose name in a column is asked for."""
        if not self.patterns:
            return pl.col(column).is_in(sorted(self.exact))
        return pl.col(column).is_in([name for name in frame[column].unique() if self.fit(name)])

    def check(self, kind: str, known: Iterable[str]) -> None:
        """See that each name is known, and that each pattern fits one that is.

        Raises:
            UnknownName: it is not; the message names some that are known.
        """
        names = sorted(set(known))
        for wanted in sorted([*self.exact, *self.patterns]):
            if not any(_fits(wanted, name) for name in names):
                shown = wanted if len(wanted) <= _LONGEST else f"{wanted[:_LONGEST]}…"
                raise UnknownName(kind, shown, names[:_SHOWN])


def canonical_names(parameter: str, text: str) -> str | None:
    """Names, separated by commas, in one form: sorted, each once, without those that a pattern takes in anyway.

    Returns:
        None where all names are asked for, which is no condition.

    Raises:
        QueryError: there are too many.
    """
    written = {re.sub(r"\*+", ANY, name) for name in text.split(",")}
    if len(written) > _MOST:
        raise QueryError(
            f"{parameter} names {len(written)}; one question takes {_MOST}. Write a pattern such as '*USDT', or ask in "
            "several questions."
        )
    # Of a pattern as a mere text only a wildcard can take in the '*', so that fitting means taking in all of it.
    least = [name for name in written if not any(other != name and _fits(other, name) for other in written)]
    return None if least == [ANY] else ",".join(sorted(least))


@lru_cache(maxsize=1024)
def names(canonical: str) -> Names:
    """The names that a text in canonical form asks for."""
    parts = canonical.split(",")
    return Names(frozenset(part for part in parts if ANY not in part), tuple(part for part in parts if ANY in part))


def _fits(pattern: str, name: str) -> bool:
    """Whether a name is a pattern's. Each part is looked for once, from the left, so that no pattern takes long."""
    if ANY not in pattern:
        return pattern == name
    first, *middle, last = pattern.split(ANY)
    if len(name) < len(first) + len(last) or not (name.startswith(first) and name.endswith(last)):
        return False
    place, end = len(first), len(name) - len(last)
    for part in middle:
        place = name.find(part, place, end)
        if place < 0:
            return False
        place += len(part)
    return True
