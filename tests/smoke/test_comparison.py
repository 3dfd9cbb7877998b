"""A comparison that never finds anything would prove nothing: here every kind of wrong answer is told."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from oracle import Oracle, OracleRecord

from smoke.comparison import Comparison, chosen
from smoke.questions import Instant, Question

LANE = "topic/0"
EVENT_US = 1_723_161_255_000_000
RECORDS = [
    OracleRecord(
        lane=LANE,
        offset=offset,
        timestamp_ms=EVENT_US // 1000 + offset,
        key=b"BTC",
        value=json.dumps(
            {
                "symbol": "BTC",
                "trade_id": offset,
                "price": f"{offset + 1}.5",
                "size": "2",
                "side": "sell" if offset % 2 else "buy",
                "event_time_us": EVENT_US + offset * 30_000_000,
            }
        ).encode(),
    )
    for offset in range(12)
]
ORACLE = Oracle(RECORDS)
QUESTION = Question("bars", "1m")


def answered(sequence: int, cut: int, position: int, question: Question = QUESTION) -> Instant:
    """A right answer; publication n has the cut 4 n."""
    cuts = [{LANE: 4 * number} for number in range(1, sequence + 1)]
    rows = ORACLE.rows(question.view, question.interval_s, {LANE: position}, cuts)
    receipt = {"sequence": sequence, "cut": {LANE: cut} if sequence else {}, "positions": {LANE: position}}
    return Instant(0.0, question, {"rows": copy.deepcopy(chosen(rows, question)), "receipt": receipt})


def differences(*instants: Instant) -> list[str]:
    """What is told of the last one."""
    comparison = Comparison(ORACLE, instants)
    return [list(comparison.judge(instant).differences) for instant in instants][-1]


def test_right_answers_are_equal() -> None:
    assert differences(answered(0, 0, 3), answered(1, 4, 6), answered(2, 8, 12)) == []
    for shape in ({"last": 2}, {"symbol": "BTC"}, {"start_ms": (EVENT_US + 60_000_000) // 1000}):
        assert differences(answered(0, 0, 12, Question("taker_flow", "5m", **shape))) == []


def drop_row(rows: list[dict[str, Any]]) -> None:
    del rows[1]


def repeat_row(rows: list[dict[str, Any]]) -> None:
    rows.append(rows[0])


def swap_rows(rows: list[dict[str, Any]]) -> None:
    rows.reverse()


def drop_column(rows: list[dict[str, Any]]) -> None:
    del rows[0]["vwap"]


def add_column(rows: list[dict[str, Any]]) -> None:
    rows[0]["more"] = None


def shorten_number(rows: list[dict[str, Any]]) -> None:
    rows[0]["volume"] = rows[0]["volume"].rstrip("0")


def count_twice(rows: list[dict[str, Any]]) -> None:
    rows[0]["trades"] += 1


def close_early(rows: list[dict[str, Any]]) -> None:
    rows[-1]["finality"] = "closed"


@pytest.mark.parametrize(
    "spoil",
    [drop_row, repeat_row, swap_rows, drop_column, add_column, shorten_number, count_twice, close_early],
)
def test_a_spoilt_answer_is_not_equal(spoil: Callable[[list[dict[str, Any]]], None]) -> None:
    instant = answered(1, 4, 12)
    spoil(instant.body["rows"])
    assert differences(instant)


def test_an_extra_row_is_told() -> None:
    instant = answered(1, 4, 6)
    instant.body["rows"] = answered(1, 4, 12).body["rows"]
    assert any("should not be there" in said for said in differences(instant))


def test_positions_that_go_back_are_told() -> None:
    assert any("go back" in said for said in differences(answered(1, 4, 8), answered(1, 4, 6)))


def test_a_sequence_that_goes_back_is_told() -> None:
    assert any("sequence" in said for said in differences(answered(2, 8, 9), answered(1, 4, 9)))


def test_positions_below_the_cut_are_told() -> None:
    assert any("below the cut" in said for said in differences(answered(1, 4, 3)))


def test_a_publication_with_two_cuts_is_told() -> None:
    comparison = Comparison(ORACLE, instants := [answered(1, 4, 9), answered(1, 5, 9)])
    assert any("two cuts" in said for instant in instants for said in comparison.judge(instant).differences)


def test_a_publication_that_was_not_seen_is_told() -> None:
    assert any("came and went" in said for said in differences(answered(2, 8, 9)))


def test_an_error_is_not_equal() -> None:
    assert differences(Instant(0.0, QUESTION, problem="503 the lake is gone")) == ["503 the lake is gone"]
