"""Answers compared with the oracle, and with the answers before them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from oracle import Oracle, Row

from smoke.questions import Instant, Question

_SHOWN = 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Verdict:
    """What came of one instant: `differences` are empty if all is equal."""

    instant: Instant
    differences: tuple[str, ...]

    def __str__(self) -> str:
        instant = self.instant
        if not instant.body:
            return f"{instant.at_s:6.1f} s  {instant.question}  {self.differences[0]}"
        finality = Counter(row["finality"] for row in instant.body["rows"])
        counts = " ".join(f"{finality[name]:3} {name}" for name in ("provisional", "closed", "revised"))
        said = "equal" if not self.differences else "; ".join(self.differences[:_SHOWN])
        more = len(self.differences) - _SHOWN
        return (
            f"{instant.at_s:6.1f} s  {instant.question} {len(instant.body['rows']):3} rows: {counts}  "
            f"sequence {instant.receipt['sequence']:2}  records {instant.records:7,}  {said}"
            + (f" and {more} more" if more > 0 else "")
        )


class Comparison:
    """Judges instants in the order in which they came.

    Args:
        oracle: over all records of the log.
        instants: all that will be judged: the cuts of all publications are learnt from them.
    """

    def __init__(self, oracle: Oracle, instants: Sequence[Instant]) -> None:
        self._oracle = oracle
        self.cuts: dict[int, dict[str, int]] = {
            instant.receipt["sequence"]: instant.receipt["cut"] for instant in instants if instant.body
        }
        self._succession = Succession()

    def judge(self, instant: Instant) -> Verdict:
        """Compare one answer."""
        if not instant.body:
            return Verdict(instant, (instant.problem,))
        return Verdict(instant, (*self._rows(instant), *self._cut(instant), *self._succession.differences(instant)))

    def _rows(self, instant: Instant) -> list[str]:
        sequence, positions = instant.receipt["sequence"], instant.receipt["positions"]
        unseen = [number for number in range(1, sequence) if number not in self.cuts]
        if unseen:
            return [f"publications {unseen} came and went between two instants, so that finality cannot be told"]
        cuts = [self.cuts[number] for number in range(1, sequence + 1)]
        question = instant.question
        rows = self._oracle.rows(question.view, question.interval_s, positions, cuts)
        return list(row_differences(chosen(rows, question), instant.body["rows"]))

    def _cut(self, instant: Instant) -> list[str]:
        sequence = instant.receipt["sequence"]
        return [] if instant.receipt["cut"] == self.cuts[sequence] else [f"publication {sequence} has two cuts"]


class Succession:
    """Answers in the order in which they came: none takes back what one before it gave."""

    def __init__(self) -> None:
        self._positions: dict[str, int] = {}
        self._sequence = 0
        self._settled: dict[tuple[str, str, str, str, str], Row] = {}

    def differences(self, instant: Instant) -> list[str]:
        """What the next answer takes back."""
        return [*self._never_back(instant), *self._stays_settled(instant)]

    def _never_back(self, instant: Instant) -> list[str]:
        sequence, positions, cut = (instant.receipt[name] for name in ("sequence", "positions", "cut"))
        found = [
            f"positions of {lane} go back to {positions.get(lane)}" for lane in _behind(positions, self._positions)
        ]
        found += [f"positions of {lane} are below the cut" for lane in _behind(positions, cut)]
        if sequence < self._sequence:
            found.append(f"the sequence goes back from {self._sequence}")
        self._positions, self._sequence = positions, sequence
        return found

    def _stays_settled(self, instant: Instant) -> list[str]:
        """A row that was closed once may differ later only if it says so."""
        question = instant.question
        found = []
        for row in instant.body["rows"]:
            key = (question.view, question.interval, row["venue"], row["symbol"], row["window_start"])
            if row["finality"] == "closed" and self._settled.get(key, row) != row:
                found.append(f"{_name(row)} was closed and is closed with other values")
            if row["finality"] == "closed":
                self._settled.setdefault(key, row)
        return found


def chosen(rows: Sequence[Row], question: Question) -> list[Row]:
    """The rows that a question is about."""
    picked: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        start_ms = (datetime.fromisoformat(row["window_start"]) - _EPOCH).total_seconds() * 1000
        early = question.start_ms is not None and start_ms < question.start_ms
        late = question.end_ms is not None and start_ms >= question.end_ms
        if not early and not late and question.symbol in (None, row["symbol"]):
            picked[row["venue"], row["symbol"]].append(row)
    kept = slice(None) if question.last is None else slice(-question.last, None)
    return [row for of_symbol in picked.values() for row in of_symbol[kept]]


def row_differences(expected: Sequence[Row], answered: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say how answered rows differ from expected ones: missing, extra, out of order, other columns or values."""
    wanted, got = {_name(row): row for row in expected}, {_name(row): row for row in answered}
    found = [f"{name} is missing" for name in wanted if name not in got]
    found += [f"{name} should not be there" for name in got if name not in wanted]
    for name, row in wanted.items():
        other = got.get(name, row)
        found += [
            f"{name} {column} is {other.get(column)!r}, not {row.get(column)!r}"
            for column in {**row, **other}
            if other.get(column) != row.get(column) or (column in other) != (column in row)
        ]
    if not found and [_name(row) for row in expected] != [_name(row) for row in answered]:
        found.append("rows are repeated or out of order")
    return found


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['symbol']} of {row['venue']} at {row['window_start']}"


def _behind(positions: Mapping[str, int], others: Mapping[str, int]) -> list[str]:
    return [lane for lane, offset in others.items() if positions.get(lane, 0) < offset]
