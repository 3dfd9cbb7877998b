"""What is expected: every record ever logged, what each publication took in or lost, and what an answer must say.

Nothing is taken from the product but what it says of itself, and that is checked against what was done to it: offsets
are lost only up to where retention is known to have come, from where a reader is known to have stood.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from oracle import OffsetRange, Oracle, OracleAccount, OracleRecord, Positions
from smoke.comparison import Succession, chosen, row_differences
from smoke.questions import Instant

from conformance.publications import Published
from conformance.traffic import HOLE_AGE_S, SOURCES

FATES = ("read", "folded", "duplicates", "dead_letters", "lost")

Losses = tuple[OffsetRange, ...]

_ORACLES = 6


class Expected:
    """Follows one seed from its first record on."""

    def __init__(self) -> None:
        self._oracles: dict[Losses, Oracle] = {(): Oracle([], SOURCES, "simulator", HOLE_AGE_S)}
        self._publications: list[Published] = []
        self._lost: list[Losses] = [()]
        self._begun: dict[str, set[int]] = {}
        self._stood: dict[str, set[int]] = {}
        self._kept: dict[str, set[int]] = {}
        self._ends: dict[str, int] = {}
        self._successions: dict[str | None, Succession] = {None: Succession(), "published": Succession()}
        self._judged: dict[object, tuple[list[Any], list[str]]] = {}

    @property
    def sequence(self) -> int:
        """The newest publication's."""
        return len(self._publications)

    @property
    def newest(self) -> Published:
        """The newest publication."""
        return self._publications[-1]

    def cuts(self, sequence: int) -> list[Positions]:
        """The cuts of all publications up to one of them."""
        return [publication.cut for publication in self._publications[:sequence]]

    def note_records(self, records: Sequence[OracleRecord], ends: Positions) -> None:
        """These have been logged since, and the log ends here now."""
        for oracle in self._oracles.values():
            oracle.add(records)
        self._ends = dict(ends)

    def note_beginnings(self, beginnings: Positions) -> None:
        """The log begins here now; it may go back when a broker was killed that had not written down that it moved."""
        for lane, offset in beginnings.items():
            self._begun.setdefault(lane, set()).add(offset)

    def note_passed(self, lane: str, stood_at: int, begins: int) -> None:
        """Retention has passed a reader that stood still there; it may have had some of the records at hand."""
        self._stood.setdefault(lane, set()).update(range(stood_at, begins))

    def note_kept(self, ends: Positions) -> None:
        """A batch cycle that did not publish may have kept the records up to here; the next one finds them there."""
        for lane, offset in ends.items():
            self._kept.setdefault(lane, set()).add(offset)

    def note_publications(self, found: Iterable[Published]) -> Iterator[str]:
        """These have been published since; says what is wrong with them."""
        for publication in found:
            before = self._publications[-1] if self._publications else Published(0, {}, {}, {})
            lost = tuple(
                self._taken(lane, before.cut.get(lane, 0), count)
                for lane, account in sorted(publication.accounts.items())
                if (count := account["lost"] - before.accounts.get(lane, {}).get("lost", 0))
            )
            self._publications.append(publication)
            self._lost.append((*self._lost[-1], *lost))
            yield from self._wrong_publication(before, publication, lost)

    def judge(self, instant: Instant) -> list[str]:
        """What is wrong with an answer; refusals are not judged here."""
        sequence, base = instant.receipt["sequence"], instant.question.base
        if sequence > self.sequence:
            return [f"publication {sequence} does not exist"]
        found = [f"{lane} goes past the log's end" for lane, at in self._beyond(instant.receipt["positions"])]
        if instant.receipt["cut"] != (self.cuts(sequence)[-1] if sequence else {}):
            found.append(f"the cut is not that of publication {sequence}")
        if not found:
            found = self._rows_differ(instant)
        return found + self._successions[base].differences(instant)

    def judge_late(self, instant: Instant) -> list[str]:
        """What is wrong with an answer that was read long after it was given."""
        return self._rows_differ(instant)

    def judge_lanes(self, body: Mapping[str, Any]) -> list[str]:
        """What is wrong with what became of the records, by `/v1/lanes`, at any time: sums, and what was read."""
        found = []
        for lane in body["lanes"]:
            told = {name: lane[name] for name in FATES}
            if not lane["balanced"] or sum(told.values()) != 2 * told["read"]:
                found.append(f"the sum of {lane['lane']} does not hold: {told}")
            if told["read"] != lane["position"]:
                found.append(f"{told['read']} records read of {lane['lane']}, which is at {lane['position']}")
        return found

    def judge_settled(self, lanes: Mapping[str, Any], instants: Sequence[Instant]) -> list[str]:
        """What is wrong with answers given while nothing moved, and with the fates by lane at that time."""
        sequence = lanes["sequence"]
        positions = {lane["lane"]: lane["position"] for lane in lanes["lanes"]}
        published = self._publications[sequence - 1].accounts if sequence else {}
        lost: list[OffsetRange] = []
        found = []
        for lane in lanes["lanes"]:
            count = lane["lost"] - published.get(lane["lane"], {}).get("lost", 0)
            likely = [each for each in self._losable(sequence, lane["lane"], positions) if _count(each) == count]
            if not likely:
                found.append(f"{count} offsets of {lane['lane']} are lost, and retention does not account for them")
            lost += next(iter(likely), ())
        oracle, cuts = self._oracle((*self._lost[sequence], *lost)), self.cuts(sequence)
        expected = _fates(oracle.accounts(positions, cuts), (*self._lost[sequence], *lost))
        told = {lane["lane"]: tuple(lane[name] for name in FATES) for lane in lanes["lanes"] if lane["read"]}
        if told != expected:
            found.append(f"of the records became {told}, expected is {expected}")
        for instant in instants:
            question, receipt = instant.question, instant.receipt
            if question.base is None and (receipt["sequence"], receipt["positions"]) == (sequence, positions):
                rows = oracle.rows(question.view, question.interval_s, positions, cuts)
                found += row_differences(chosen(rows, question), instant.body["rows"])
        return found

    def judge_gaps(self, body: Mapping[str, Any]) -> list[str]:
        """What is wrong with the gaps that are answered."""
        sequence = body["sequence"]
        if not sequence:
            return []
        wanted = self._oracle(self._lost[sequence]).gaps(self.cuts(sequence))
        return [f"gap {gap} is missing" for gap in wanted if gap not in body["gaps"]] + [
            f"gap {gap} should not be there" for gap in body["gaps"] if gap not in wanted
        ]

    def _taken(self, lane: str, cut: int, count: int) -> OffsetRange:
        """Which offsets a batch cycle has lost: so many, from the cut on or from what another had kept on."""
        starts = [cut, *sorted(at for at in self._kept.get(lane, ()) if at > cut)]
        known = (at for at in starts if at + count in self._begun.get(lane, ()))
        start = next(known, cut)
        return lane, start, start + count

    def _wrong_publication(self, before: Published, publication: Published, lost: Losses) -> Iterator[str]:
        name = f"publication {publication.sequence}"
        if publication.sequence != before.sequence + 1:
            yield f"{name} follows publication {before.sequence}"
        for lane, offset in before.cut.items():
            if publication.cut.get(lane, 0) < offset:
                yield f"{name} moves the cut of {lane} back from {offset} to {publication.cut.get(lane)}"
        for lane, _ in self._beyond(publication.cut):
            yield f"{name} has a cut of {lane} beyond the log's end"
        for lane, _, after in lost:
            if after not in self._begun.get(lane, ()):
                yield f"{name} lost {lane} up to {after}, where retention has not been"
        told = {
            lane: tuple(account[fate] for fate in FATES)
            for lane, account in publication.accounts.items()
            if account["read"]
        }
        gone = self._lost[publication.sequence]
        expected = _fates(self._oracle(gone).accounts(publication.cut, self.cuts(publication.sequence)), gone)
        if told != expected:
            yield f"{name} says that of the records became {told}, expected is {expected}"

    def _rows_differ(self, instant: Instant) -> list[str]:
        """How the rows differ from what they must be after whatever a reader may have lost; the least of it."""
        question, receipt = instant.question, instant.receipt
        sequence, positions = receipt["sequence"], receipt["positions"]
        asked = (question, sequence, tuple(sorted(positions.items())))
        if asked in self._judged and self._judged[asked][0] == instant.body["rows"]:
            return self._judged[asked][1]
        fewest: list[str] | None = None
        for lost in self._losses(sequence, positions):
            oracle = self._oracle((*self._lost[sequence], *lost))
            rows = oracle.rows(question.view, question.interval_s, positions, self.cuts(sequence))
            found = row_differences(chosen(rows, question), instant.body["rows"])
            if fewest is None or len(found) < len(fewest):
                fewest = found
            if not found:
                break
        self._judged[asked] = (instant.body["rows"], fewest or [])
        return fewest or []

    def _losses(self, sequence: int, positions: Positions) -> Iterator[Losses]:
        """What a speed fold on a publication may have lost on its way to these positions; nothing comes first."""
        for each in itertools.product(*(self._losable(sequence, lane, positions) for lane in sorted(positions))):
            yield tuple(itertools.chain.from_iterable(each))

    def _losable(self, sequence: int, lane: str, positions: Positions) -> list[Losses]:
        """What it may have lost of a lane: nothing, or from where it stood to where the log began then."""
        cut = self._publications[sequence - 1].cut.get(lane, 0) if sequence else 0
        starts = {cut, *(at for at in self._stood.get(lane, ()) if at > cut)}
        begun = [at for at in self._begun.get(lane, ()) if at <= positions.get(lane, 0)]
        once = sorted((lane, start, at) for start in starts for at in begun if start < at)
        twice = [(first, second) for first, second in itertools.product(once, once) if first[2] <= second[1]]
        return [(), *((each,) for each in once), *twice]

    def _oracle(self, lost: Losses) -> Oracle:
        """The oracle of the log without these; the last few are kept."""
        if lost not in self._oracles:
            nearest = next(lost[:count] for count in reversed(range(len(lost))) if lost[:count] in self._oracles)
            self._oracles[lost] = self._oracles[nearest].without(lost[len(nearest) :])
            for old in list(self._oracles)[1:-_ORACLES]:
                del self._oracles[old]
        return self._oracles[lost]

    def _beyond(self, positions: Positions) -> list[tuple[str, int]]:
        return [(lane, offset) for lane, offset in positions.items() if offset > self._ends.get(lane, 0)]


def _fates(told: Mapping[str, OracleAccount], lost: Losses) -> dict[str, tuple[int, ...]]:
    gone: Counter[str] = Counter()
    for lane, first, after in lost:
        gone[lane] += after - first
    fates = {}
    for lane in {*told, *gone}:
        account = told.get(lane) or OracleAccount(0, 0, 0, 0)
        read = account.read + gone[lane]
        fates[lane] = (read, account.folded, account.duplicates, account.dead_letters, gone[lane])
    return fates


def _count(lost: Losses) -> int:
    return sum(after - first for _, first, after in lost)
