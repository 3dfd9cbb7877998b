"""The account of a lane: what became of every record that was read (law 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import orjson
import polars as pl

_FEW = 2_000
"""Rows that are counted one by one sooner than a query is made for them."""


@dataclass(frozen=True, slots=True)
class Account:
    """Counts of records of one lane. Offsets that never were records (transaction markers) are not counted.

    `read` is counted where records come in; the other five where their fate is decided, so that the sum can be checked.
    `excluded` are trades that a person took out (`twofold.exclusion`).
    """

    read: int = 0
    folded: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    lost: int = 0
    excluded: int = 0

    @property
    def balanced(self) -> bool:
        """Whether every record that was read (or lost unread) is accounted for."""
        return self.folded + self.duplicates + self.dead_letters + self.lost + self.excluded == self.read

    def __add__(self, other: Account) -> Account:
        return Account(
            self.read + other.read,
            self.folded + other.folded,
            self.duplicates + other.duplicates,
            self.dead_letters + other.dead_letters,
            self.lost + other.lost,
            self.excluded + other.excluded,
        )


Accounts = Mapping[str, Account]
"""Lane name to account."""


def add_accounts(first: Accounts, second: Accounts) -> dict[str, Account]:
    """Add accounts lane by lane."""
    return {lane: first.get(lane, Account()) + second.get(lane, Account()) for lane in {**first, **second}}


def count_by_lane(
    read: Mapping[str, int],
    folded: pl.DataFrame,
    duplicates: pl.DataFrame,
    dead_letters: pl.DataFrame,
    lost: Mapping[str, int],
    excluded: pl.DataFrame | None = None,
) -> dict[str, Account]:
    """Make accounts from the number of records read and lost per lane and from the frames of what became of them.

    The frames need a column `lane`. Lost records count as read: they were in the log, and their fate is known.
    """
    n_folded, n_duplicates, n_dead = (_sizes(frame) for frame in (folded, duplicates, dead_letters))
    n_excluded = {} if excluded is None else _sizes(excluded)
    return {
        lane: Account(
            read=read.get(lane, 0) + lost.get(lane, 0),
            folded=n_folded.get(lane, 0),
            duplicates=n_duplicates.get(lane, 0),
            dead_letters=n_dead.get(lane, 0),
            lost=lost.get(lane, 0),
            excluded=n_excluded.get(lane, 0),
        )
        for lane in {*read, *lost, *n_folded, *n_duplicates, *n_dead, *n_excluded}
    }


def _sizes(frame: pl.DataFrame) -> dict[str, int]:
    lanes = frame["lane"]
    return Counter(lanes.to_list()) if len(lanes) <= _FEW else dict(lanes.value_counts().iter_rows())


def accounts_to_json(accounts: Accounts) -> str:
    """Write accounts as JSON with sorted lanes."""
    data = {lane: asdict(account) for lane, account in accounts.items()}
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS).decode()


def accounts_from_json(text: str) -> dict[str, Account]:
    """Read accounts as `accounts_to_json` wrote them."""
    return {lane: Account(**counts) for lane, counts in orjson.loads(text).items()}
