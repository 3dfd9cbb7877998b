from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from polars.testing import assert_frame_equal
from small_market import SmallMarket
from vouched import vouching

from serving import spoken
from serving.answer import answer
from serving.batch_side import load_batch_side
from serving.presentation import Presentation
from serving.query import Query
from serving.seam import Pair
from serving.spoken import Speaker, Spoken
from serving.state import State
from twofold.errors import UnknownName
from twofold.publication import GENESIS, Publications
from twofold.views import VIEWS

ALL = Query(VIEWS["bars"], 60_000_000)
HOURS = replace(ALL, interval_us=3_600_000_000)


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    market = SmallMarket(tmp_path)
    market.trade("10:00:01")
    market.cycle()
    return market


def newest(market: SmallMarket) -> Pair:
    return Pair(load_batch_side(market.lake, market.views, Publications(market.lake).newest(), None))


def speaking(market: SmallMarket) -> Speaker:
    return Speaker(vouching(market.lake))


def text(said: Spoken | None) -> bytes:
    assert said is not None
    return b"".join(said.written(Presentation(), b"null"))


def test_what_is_said_is_the_answer(market: SmallMarket) -> None:
    pair = newest(market)
    made = answer(ALL, pair)
    said = orjson.loads(text(speaking(market).answer(ALL, pair)))
    token = said["receipt"].pop("token")
    assert vouching(market.lake).signer.sign(ALL, State.of(pair)) == token
    receipt = orjson.loads(orjson.dumps(made.receipt()))
    assert said == {"view": "bars", "rows": made.json_rows(), "receipt": receipt, "freshness": None}


def test_a_question_asked_again_of_the_same_pair_is_known_by_then(market: SmallMarket) -> None:
    speaker, pair = speaking(market), newest(market)
    assert speaker.known(ALL, pair) is None
    said = speaker.answer(ALL, pair)
    assert speaker.known(ALL, replace(pair, mode="paused")) is said
    assert speaker.known(HOURS, pair) is None


def test_what_was_said_of_another_pair_is_not_known(market: SmallMarket) -> None:
    speaker, before = speaking(market), newest(market)
    speaker.answer(ALL, before)
    market.trade("10:00:02")
    market.cycle()
    after = newest(market)
    assert speaker.known(ALL, after) is None
    assert b'"trades":2' in text(speaker.answer(ALL, after))
    assert speaker.known(ALL, before) is None
    assert_frame_equal(answer(ALL, after).rows, answer(ALL, newest(market)).rows)


def test_what_is_kept_is_bounded(market: SmallMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spoken, "MOST", 1)
    speaker, pair = speaking(market), newest(market)
    speaker.answer(ALL, pair)
    speaker.answer(HOURS, pair)
    assert speaker.known(ALL, pair) is not None
    assert speaker.known(HOURS, pair) is None


def test_a_question_that_has_no_answer_is_asked_anew(market: SmallMarket) -> None:
    speaker, pair = speaking(market), newest(market)
    nowhere = replace(ALL, venue="nowhere")
    for _ in range(2):
        with pytest.raises(UnknownName):
            speaker.answer(nowhere, pair)
        assert speaker.known(nowhere, pair) is None


def asked_often(speaker: Speaker, query: Query, pair: Pair) -> Spoken:
    said = speaker.answer(query, pair)
    for _ in range(spoken.HOT_TIMES):
        assert speaker.known(query, pair) is said
    text(said)
    return said


def test_what_is_asked_over_and_over_is_prepared_of_the_next_pair(market: SmallMarket) -> None:
    speaker, before = speaking(market), newest(market)
    asked_often(speaker, ALL, before)
    speaker.answer(HOURS, before)
    market.trade("10:00:02")
    market.cycle()
    after = newest(market)
    speaker.prepare(after)
    assert speaker.known(ALL, before) is not None, "answers still come from the pair before"
    prepared = speaker.known(ALL, after)
    assert prepared is not None
    assert text(prepared) == text(speaker.answer(ALL, after))
    assert b'"trades":2' in text(prepared)
    assert speaker.known(HOURS, after) is None


def test_few_are_prepared_and_those_that_are_asked_most(market: SmallMarket) -> None:
    speaker, before = speaking(market), newest(market)
    queries = [replace(ALL, last=last) for last in range(1, spoken.MOST_HOT + 2)]
    for more, query in enumerate(queries):
        asked_often(speaker, query, before)
        for _ in range(more):
            speaker.known(query, before)
    market.trade("10:00:02")
    market.cycle()
    after = newest(market)
    speaker.prepare(after)
    assert [speaker.known(query, after) is not None for query in queries] == [False, *[True] * spoken.MOST_HOT]


def test_a_question_that_cannot_be_answered_any_more_is_not_prepared(market: SmallMarket) -> None:
    speaker, before = speaking(market), newest(market)
    query = replace(ALL, symbol="BTCUSDT")
    asked_often(speaker, query, before)
    nothing = Pair(load_batch_side(market.lake, market.views, GENESIS, None))
    speaker.prepare(nothing)
    assert speaker.known(query, nothing) is None
    with pytest.raises(UnknownName):
        speaker.answer(query, nothing)
