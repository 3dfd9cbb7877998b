"""An expectation that takes anything would prove nothing: each kind of wrong is told, what retention took is not."""

from __future__ import annotations

import json
from typing import Any

from oracle import Oracle, OracleRecord
from smoke.questions import Instant, Question

from conformance.expected import Expected
from conformance.publications import Published
from conformance.traffic import HOLE_AGE_S, SOURCES

LANE = "topic/0"
EVENT_US = 1_723_161_255_000_000
QUESTION = Question("bars", "1m")
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
                "side": "buy",
                "event_time_us": EVENT_US + offset * 30_000_000,
            }
        ).encode(),
    )
    for offset in range(12)
]


def published(sequence: int, cut: int, lost: int = 0, **changes: int) -> Published:
    account = {"read": cut, "folded": cut - lost, "duplicates": 0, "dead_letters": 0, "lost": lost} | changes
    return Published(sequence, {LANE: cut}, {}, {LANE: account})


def expected(*publications: Published, begins: int = 0) -> Expected:
    """What is expected after these publications, of which nothing is wrong."""
    known = Expected()
    known.note_records(RECORDS, {LANE: len(RECORDS)})
    known.note_beginnings({LANE: begins})
    assert list(known.note_publications(publications)) == []
    return known


def answered(cuts: list[int], position: int, lost: tuple[int, int] = (0, 0)) -> Instant:
    """A right answer of the last of the publications with these cuts, to which some offsets were lost."""
    oracle = Oracle(RECORDS, SOURCES, "simulator", HOLE_AGE_S).without([(LANE, *lost)])
    rows = oracle.rows("bars", 60, {LANE: position}, [{LANE: cut} for cut in cuts])
    cut = {LANE: cuts[-1]} if cuts else {}
    return Instant(0.0, QUESTION, {"rows": rows, "receipt": _receipt(len(cuts), cut, position)})


def _receipt(sequence: int, cut: dict[str, int], position: int) -> dict[str, Any]:
    return {"sequence": sequence, "cut": cut, "positions": {LANE: position}}


def lanes(sequence: int, position: int, lost: int = 0) -> dict[str, Any]:
    fates = {"read": position, "folded": position - lost, "duplicates": 0, "dead_letters": 0, "lost": lost}
    return {"sequence": sequence, "lanes": [{"lane": LANE, "position": position, **fates, "balanced": True}]}


def test_right_answers_are_right() -> None:
    known = expected(published(1, 4))
    assert known.judge(answered([4], 6)) == []
    assert known.judge_settled(lanes(1, 6), [answered([4], 6)]) == []
    assert known.judge_lanes(lanes(1, 6)) == []


def test_an_answer_that_lacks_a_record_is_told_unless_retention_can_have_taken_it() -> None:
    lacking = answered([4], 8, lost=(4, 6))
    assert any("is missing" in what for what in expected(published(1, 4)).judge(lacking))
    assert expected(published(1, 4), begins=6).judge(lacking) == []


def test_what_is_lost_must_be_what_the_accounts_say_is_lost() -> None:
    known = expected(published(1, 4), begins=6)
    assert known.judge_settled(lanes(1, 8, lost=2), [answered([4], 8, lost=(4, 6))]) == []
    assert known.judge_settled(lanes(1, 8), [answered([4], 8, lost=(4, 6))])
    assert any("does not account" in what for what in known.judge_settled(lanes(1, 8, lost=3), []))


def test_a_worker_that_stood_still_may_lose_what_retention_took_before_it_went_on() -> None:
    known = expected(published(1, 4), begins=9)
    lacking = answered([4], 12, lost=(7, 9))
    assert known.judge(lacking)
    known = expected(published(1, 4), begins=9)
    known.note_passed(LANE, 7, 9)
    assert known.judge(lacking) == []


def test_a_loss_below_the_cut_stays_lost_and_above_an_older_cut_it_is_not() -> None:
    known = expected(published(1, 4), published(2, 8, lost=2), begins=6)
    assert known.judge(answered([4], 8)) == []
    assert known.judge(answered([4, 8], 10, lost=(4, 6))) == []
    assert known.judge(answered([4, 8], 10))


def test_of_what_retention_took_a_cycle_may_find_what_another_one_kept() -> None:
    known = expected(published(1, 4), begins=8)
    known.note_kept({LANE: 6})
    assert list(known.note_publications([published(2, 10, lost=2)])) == []
    assert known.judge(answered([4, 10], 10, lost=(6, 8))) == []
    unkept = expected(published(1, 4), begins=8)
    assert any("retention has not been" in what for what in unkept.note_publications([published(2, 10, lost=2)]))


def test_a_publication_that_lost_what_is_there_is_told() -> None:
    known = expected(published(1, 4))
    assert any("retention has not been" in what for what in known.note_publications([published(2, 8, lost=2)]))


def test_a_publication_that_moves_a_cut_back_or_leaves_one_out_is_told() -> None:
    assert any("back from 4" in what for what in expected(published(1, 4)).note_publications([published(2, 3)]))
    assert any("follows" in what for what in expected(published(1, 4)).note_publications([published(3, 8)]))


def test_a_publication_with_wrong_fates_is_told() -> None:
    wrong = published(2, 8, folded=7, duplicates=1)
    assert any("expected is" in what for what in expected(published(1, 4)).note_publications([wrong]))


def test_answers_that_go_back_are_told_whoever_gave_them() -> None:
    known = expected(published(1, 4))
    assert known.judge(answered([4], 8)) == []
    assert any("go back" in what for what in known.judge(answered([4], 6)))


def test_a_sum_that_does_not_hold_is_told() -> None:
    wrong = lanes(1, 6)
    wrong["lanes"][0]["folded"] = 5
    assert expected(published(1, 4)).judge_lanes(wrong)


def test_a_gap_that_is_not_there_is_told() -> None:
    gap = {"venue": "simulator", "symbol": "BTC", "first_id": 1, "last_id": 1}
    known = expected(published(1, 4))
    assert known.judge_gaps({"gaps": [], "sequence": 1}) == []
    assert known.judge_gaps({"gaps": [gap], "sequence": 1})
