"""What is expected: every record ever logged, what each publication took in or lost, and what an answer must say.

The oracle folds the records; nothing here is taken from the product but what an answer's receipt says of itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from laws.market import Market
from oracle import Oracle, OracleAccount, OracleRecord, OracleSource, Positions

from twofold.account import Account
from twofold.records import Lost

HORIZON_S = 200.0
"""How long trade keys are remembered: not for long, so that trades count anew."""

SOURCES = {
    "binance-spot": OracleSource("binance", "binance", "collected_us", contiguous=True),
    "simulator": OracleSource("simulator", "canonical", contiguous=False),
    "keyed": OracleSource("keyed", "canonical", contiguous=False, horizon_s=HORIZON_S),
}
"""As `twin.parts.SOURCES` declares them: missing ids mean something for one, and nothing for the other."""

HOLE_AGE_S = 30.0
"""How long a gap stays open."""

Counts = tuple[int, int, int, int, int]
"""Of one lane: read, folded, duplicates, dead letters, lost."""


@dataclass(frozen=True)
class Expectation:
    """What one publication must be: its cut, and what retention took from under it and those before it."""

    cut: Positions
    lost: tuple[Lost, ...] = ()


class Expected:
    """Follows a market from its first record on."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._records: dict[tuple[str, int], OracleRecord] = {}
        self._publications = [Expectation({}), Expectation(market.log.end_offsets())]
        self.note_records()

    @property
    def sequence(self) -> int:
        """The newest publication's."""
        return len(self._publications) - 1

    @property
    def cut(self) -> Positions:
        """The newest publication's."""
        return self._publications[-1].cut

    def note_records(self) -> None:
        """Keep what is in the log now, whatever retention takes later."""
        for record in self._market.log.records:
            place = (record.lane, record.offset)
            if place not in self._records:
                self._records[place] = OracleRecord(
                    *place, record.timestamp_ms, record.key, record.value, record.headers
                )

    def note_publication(self, cut: Positions, lost: Iterable[Lost]) -> None:
        """A cycle that read up to this cut, and lost this on the way, has published."""
        self._publications.append(Expectation(cut, (*self._publications[-1].lost, *lost)))

    def cuts(self, sequence: int) -> list[Positions]:
        """The cuts of all publications up to one of them."""
        return [publication.cut for publication in self._publications[1 : sequence + 1]]

    def oracle(self, sequence: int, lost: Sequence[Lost] = ()) -> Oracle:
        """An oracle over what a publication, and a speed fold on it that lost this, can have read."""
        gone = [*self._publications[sequence].lost, *lost]
        taken = {(gap.lane, offset) for gap in gone for offset in range(gap.first_offset, gap.next_offset)}
        return Oracle((r for place, r in self._records.items() if place not in taken), SOURCES, "simulator", HOLE_AGE_S)

    def lost_since(self, sequence: int, positions: Positions, lost: Sequence[Lost]) -> bool:
        """Whether of what an answer was made of, above its cut, something is gone by now.

        Args:
            sequence: the answer's publication.
            positions: the answer's.
            lost: what was lost to it already.
        """
        log, cut = self._market.log, self._publications[sequence].cut
        taken = [*self._publications[-1].lost]
        taken += [Lost(lane, self.cut.get(lane, 0), log.beginning(lane)) for lane in log.lanes]
        excused, gone = _places(lost), _places(taken)
        above = ((lane, at) for lane, end in positions.items() for at in range(cut.get(lane, 0), end))
        return any(place in gone and place not in excused for place in above)

    def check_published(self, sequence: int, accounts: Mapping[str, Account]) -> None:
        """Every record below the cut is accounted for, lane by lane and fate by fate."""
        publication = self._publications[sequence]
        told = self.oracle(sequence).accounts(publication.cut, self.cuts(sequence))
        lost = _offsets(publication.lost)
        expected = {lane: _with_lost(told.get(lane), lost[lane]) for lane in {*told, *lost}}
        assert {lane: _counts(account) for lane, account in accounts.items() if account.read} == expected

    def check_answered(
        self,
        sequence: int,
        positions: Positions,
        lost: Sequence[Lost],
        published: Mapping[str, Account],
        live: Mapping[str, Account],
    ) -> None:
        """Every record below the positions is accounted for, lane by lane and fate by fate."""
        told = self.oracle(sequence, lost).accounts(positions, self.cuts(sequence))
        gone = _offsets([*self._publications[sequence].lost, *lost])
        expected = {lane: _with_lost(told.get(lane), gone[lane]) for lane in {*told, *gone}}
        found = {lane: _added(published.get(lane), live.get(lane)) for lane in {*published, *live}}
        assert all(counts[0] == sum(counts[1:]) for counts in found.values())
        assert {lane: counts for lane, counts in found.items() if counts[0]} == expected


def without(gaps: Iterable[Lost], kept: set[tuple[str, int]]) -> list[Lost]:
    """What is lost of these ranges, one by one, when some of their records are kept elsewhere."""
    offsets = [(gap.lane, at) for gap in gaps for at in range(gap.first_offset, gap.next_offset)]
    return [Lost(lane, at, at + 1) for lane, at in offsets if (lane, at) not in kept]


def _places(gaps: Iterable[Lost]) -> set[tuple[str, int]]:
    return {(gap.lane, offset) for gap in gaps for offset in range(gap.first_offset, gap.next_offset)}


def _offsets(gaps: Iterable[Lost]) -> Counter[str]:
    lost: Counter[str] = Counter()
    for gap in gaps:
        lost[gap.lane] += gap.next_offset - gap.first_offset
    return lost


def _with_lost(told: OracleAccount | None, lost: int) -> Counts:
    account = told or OracleAccount(0, 0, 0, 0)
    return (account.read + lost, account.folded, account.duplicates, account.dead_letters, lost)


def _counts(account: Account) -> Counts:
    return (account.read, account.folded, account.duplicates, account.dead_letters, account.lost)


def _added(published: Account | None, live: Account | None) -> Counts:
    below, above = _counts(published or Account()), _counts(live or Account())
    read, folded, duplicates, dead_letters, lost = (sum(pair) for pair in zip(below, above, strict=True))
    return read, folded, duplicates, dead_letters, lost
