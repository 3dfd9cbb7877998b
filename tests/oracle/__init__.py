"""An oracle for every answer: a plain fold of the log's records, which shares no code with the product.

`Oracle(records).rows(view, interval_s, positions)` are the rows that the API must give at those positions: dicts with
the same names and values (decimals and times as text), ordered by venue, symbol and window start. Given also the `cuts`
of all publications up to the answer's own, first to last, they carry `finality` and `revisions`.

Of a trade that stands in the log more than once the first counts: in order of the publication that took it in, then of
(arrival time, lane, offset). The others are duplicates, but below the last cut those with another body than the first,
which are conflicts and so dead letters. Where ids are text, a trade counts anew once all its copies that counted before
the cut are older than the horizon, by arrival, seen from the newest of the venue that counted before the cut.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from itertools import groupby

from oracle.finality import Window, labels
from oracle.gaps import Published
from oracle.record import DEFAULT_SOURCE, SOURCES, OracleRecord, OracleSource, Positions
from oracle.views import VIEWS, Row, rfc3339
from oracle.wire import Identity, OracleTrade, read_identity, read_trade

HOLE_AGE_S = 3600.0
"""How long a gap stays open, unless an oracle is told otherwise."""

OffsetRange = tuple[str, int, int]
"""A lane, the first offset, and the one after the last."""

_Cuts = tuple[tuple[tuple[str, int], ...], ...]

__all__ = [
    "OffsetRange",
    "Oracle",
    "OracleAccount",
    "OracleRecord",
    "OracleSource",
    "OracleTrade",
    "Positions",
    "Row",
    "rfc3339",
]


@dataclass(frozen=True, slots=True)
class OracleAccount:
    """What became of the records of one lane below a position."""

    read: int
    folded: int
    duplicates: int
    dead_letters: int


@dataclass(frozen=True, slots=True)
class _ToldApart:
    """The first occurrences, with the place of the first cut past them; and the others, with what they repeat."""

    taken: list[tuple[int, OracleTrade]] = field(default_factory=list)
    repeats: list[tuple[OracleTrade, OracleTrade]] = field(default_factory=list)


class Oracle:
    """Says what must be answered, from all records of a log in any order. A lane's record is known by its offset."""

    def __init__(
        self,
        records: Iterable[OracleRecord],
        sources: Mapping[str, OracleSource] = SOURCES,
        default_source: str = DEFAULT_SOURCE,
        hole_age_s: float = HOLE_AGE_S,
    ) -> None:
        self.records: list[OracleRecord] = []
        self.usable: list[OracleTrade] = []
        self._unusable: list[tuple[OracleRecord, Identity]] = []
        self._sources = sources
        self._default_source = default_source
        self._known: set[tuple[str, int]] = set()
        venues = {source.venue for source in sources.values()}
        self._venues = venues - {source.venue for source in sources.values() if not source.contiguous}
        self._hole_age_us = round(hole_age_s * 1_000_000)
        self._published: dict[_Cuts, Published] = {(): Published()}
        self._last_told: tuple[object, _ToldApart] = ((), _ToldApart())
        self.add(records)

    def add(self, records: Iterable[OracleRecord]) -> None:
        """Take in more of the log; what is known already is passed over."""
        new = {(record.lane, record.offset): record for record in records}
        added = [record for place, record in new.items() if place not in self._known]
        self._known.update(new)
        self.records += added
        for record in added:
            trade = read_trade(record, self._sources, self._default_source)
            if trade is not None:
                self.usable.append(trade)
            elif (identity := read_identity(record, self._sources, self._default_source)) is not None:
                self._unusable.append((record, identity))
        self._change((record.lane, record.offset) for record in added)

    def without(self, lost: Iterable[OffsetRange]) -> Oracle:
        """An oracle of the same log, of which nobody could read these records."""
        gone = {(lane, offset) for lane, first, after in lost for offset in range(first, after)}
        other = copy(self)
        other.records = [record for record in self.records if (record.lane, record.offset) not in gone]
        other.usable = [trade for trade in self.usable if (trade.lane, trade.offset) not in gone]
        other._unusable = [item for item in self._unusable if (item[0].lane, item[0].offset) not in gone]
        other._known = self._known | gone  # So that they stay away.
        other._change(gone)
        return other

    def trades(self, positions: Positions, cuts: Sequence[Positions] = ()) -> list[OracleTrade]:
        """The first occurrence of each trade below `positions`."""
        return [trade for _, trade in self._taken(positions, cuts)]

    def rows(
        self,
        view: str,
        interval_s: int,
        positions: Positions,
        cuts: Sequence[Positions] | None = None,
        had_arrived: Callable[[OracleTrade], bool] = lambda _: True,
    ) -> list[Row]:
        """The rows of a view at `positions`, in windows of `interval_s` seconds, of those trades that had arrived."""
        taken = [one for one in self._taken(positions, cuts or ()) if had_arrived(one[1])]
        interval_us = interval_s * 1_000_000
        windows: dict[Window, list[OracleTrade]] = defaultdict(list)
        for _, trade in taken:
            windows[trade.venue, trade.symbol, trade.event_us // interval_us * interval_us].append(trade)
        its = VIEWS[view]
        labelled = {} if cuts is None else labels(taken, self._publications(cuts), interval_us, its)
        return [
            {
                "venue": venue,
                "symbol": symbol,
                "window_start": rfc3339(start_us),
                "window_end": rfc3339(start_us + interval_us),
                **its.values(windows[venue, symbol, start_us]),
                **labelled.get((venue, symbol, start_us), {}),
            }
            for venue, symbol, start_us in sorted(windows)
        ]

    def gaps(self, cuts: Sequence[Positions]) -> list[Row]:
        """The ids that are missing in the last of these publications, as the API gives them."""
        newest = self._publications(cuts)[-1]
        return [
            {
                "venue": venue,
                "symbol": symbol,
                "first_id": gap.first_id,
                "last_id": gap.last_id,
                "ids": gap.last_id - gap.first_id + 1,
                "state": gap.state,
                "first_event": _time(gap.first_event_us),
                "last_event": _time(gap.last_event_us),
                "since": _time(gap.since_us),
            }
            for (venue, symbol), gaps in sorted(newest.gaps.items())
            for gap in gaps
        ]

    def accounts(self, positions: Positions, cuts: Sequence[Positions] = ()) -> dict[str, OracleAccount]:
        """What became of every record below `positions`, per lane that has any."""
        read = Counter(record.lane for record in self.records if _is_below(record, positions))
        usable = Counter(trade.lane for trade in self.usable if _is_below(trade, positions))
        usable.subtract(trade.lane for trade in self.conflicts(cuts, positions))
        folded = Counter(trade.lane for trade in self.trades(positions, cuts))
        return {
            lane: OracleAccount(read[lane], folded[lane], usable[lane] - folded[lane], read[lane] - usable[lane])
            for lane in sorted(read)
        }

    def conflicts(self, cuts: Sequence[Positions], positions: Positions | None = None) -> list[OracleTrade]:
        """The records below the last cut of trades that count with another body, whatever else is below `positions`."""
        if not cuts:
            return []
        repeats = self._told_apart(positions or cuts[-1], cuts).repeats
        below = [(trade, first) for trade, first in repeats if _is_below(trade, cuts[-1])]
        return [trade for trade, first in below if _body(trade) != _body(first)]

    def _change(self, places: Iterable[tuple[str, int]]) -> None:
        """Forget what was worked out of these records, or without them."""
        first: dict[str, int] = {}
        for lane, offset in places:
            first[lane] = min(offset, first.get(lane, offset))
        self._last_told = ((), _ToldApart())
        self._published = {
            cuts: published
            for cuts, published in self._published.items()
            if not cuts or all(dict(cuts[-1]).get(lane, 0) <= offset for lane, offset in first.items())
        }

    def _publications(self, cuts: Sequence[Positions]) -> list[Published]:
        """What each publication said; none of it changes when more cuts follow, so each is worked out once."""
        whole = _key(cuts)
        keys = [whole[:number] for number in range(len(whole) + 1)]
        for number, key in enumerate(keys[1:], start=1):
            if key not in self._published:
                cut = cuts[number - 1]
                trades = [trade for _, trade in self._taken(cut, cuts[:number])]
                unusable = [identity for record, identity in self._unusable if _is_below(record, cut)]
                before = self._published[keys[number - 1]]
                self._published[key] = before.followed_by(trades, unusable, self._venues, self._hole_age_us)
        return [self._published[key] for key in keys[1:]]

    def _taken(self, positions: Positions, cuts: Sequence[Positions]) -> list[tuple[int, OracleTrade]]:
        """First occurrences with the place of the first cut that is past them; past all cuts it is their number."""
        return self._told_apart(positions, cuts).taken

    def _told_apart(self, positions: Positions, cuts: Sequence[Positions]) -> _ToldApart:
        asked = (tuple(sorted(positions.items())), _key(cuts))
        if self._last_told[0] != asked:
            placed = [(_place(trade, cuts), trade) for trade in self.usable if _is_below(trade, positions)]
            placed.sort(key=lambda item: (item[0], item[1].arrival_us, item[1].lane, item[1].offset))
            self._last_told = (asked, _tell_apart(placed))
        return self._last_told[1]


def _tell_apart(placed: Iterable[tuple[int, OracleTrade]]) -> _ToldApart:
    """Tell trades apart that come in the order in which they count."""
    told = _ToldApart()
    counted: dict[Identity, list[tuple[int, OracleTrade]]] = defaultdict(list)
    newest_us: dict[str, int] = {}
    for place, group in groupby(placed, key=lambda item: item[0]):
        before_us = dict(newest_us)
        for _, trade in group:
            since_us = _remembered_since_us(trade, before_us)
            same = counted[_identity(trade)]
            known = [one for at, one in same if at == place or since_us is None or one.arrival_us >= since_us]
            if known:
                told.repeats.append((trade, known[0]))
                continue
            same.append((place, trade))
            told.taken.append((place, trade))
            newest_us[trade.venue] = max(trade.arrival_us, newest_us.get(trade.venue, trade.arrival_us))
    return told


def _remembered_since_us(trade: OracleTrade, newest_us: Mapping[str, int]) -> int | None:
    """Since which arrival trades of its kind are remembered; None where they are for ever."""
    if trade.horizon_us is None or trade.venue not in newest_us:
        return None
    return newest_us[trade.venue] - trade.horizon_us


def _key(cuts: Sequence[Positions]) -> _Cuts:
    return tuple(tuple(sorted(cut.items())) for cut in cuts)


def _identity(trade: OracleTrade) -> Identity:
    return trade.venue, trade.symbol, trade.trade_id


def _body(trade: OracleTrade) -> tuple[object, ...]:
    return trade.price, trade.size, trade.side, trade.event_us


def _time(time_us: int | None) -> str | None:
    return None if time_us is None else rfc3339(time_us)


def _is_below(record: OracleRecord | OracleTrade, positions: Positions) -> bool:
    return record.offset < positions.get(record.lane, 0)


def _place(trade: OracleTrade, cuts: Sequence[Positions]) -> int:
    return next((place for place, cut in enumerate(cuts) if _is_below(trade, cut)), len(cuts))
