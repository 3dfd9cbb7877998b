"""The horizon of opaque ids: a repeat within it is told on both sides of the seam, and one after it counts anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from laws.market import SOURCES as MARKET_SOURCES
from laws.parts import SteppedWorker
from small_market import LANES, SmallMarket
from vouched import given_of, vouching

from batch_layer.doctor.contents import look_at_contents
from batch_layer.ledger import LEDGER_FILES
from serving.answer import answer
from serving.batch_side import load_batch_side
from serving.query import Query
from serving.receipts.remaking import MadeAgain
from serving.seam import Pair
from speed_layer.base import load_base
from twofold.decoding import canonical
from twofold.decoding.trade_key import numbers_of
from twofold.horizon import horizons_us
from twofold.publication import Publication, Publications
from twofold.source import SHIPPED_SOURCES
from twofold.views import VIEWS

HORIZON_S = 200
SOURCES = {**MARKET_SOURCES, "keyed": MARKET_SOURCES["keyed"].model_copy(update={"horizon_s": HORIZON_S})}


class KeyedMarket(SmallMarket):
    """A small market of a source that has keys, which are remembered for `HORIZON_S`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, sources=SOURCES)

    def trade(self, clock: str, **trade: Any) -> int | str:  # noqa: ANN401  # what any trade takes
        """Log a trade of that source."""
        return super().trade(clock, source="keyed", **trade)


@pytest.fixture
def market(tmp_path: Path) -> KeyedMarket:
    return KeyedMarket(tmp_path)


def keys(market: KeyedMarket, publication: Publication) -> list[Any]:
    return sorted(market.lake.scan("trades", publication.tables["trades"]).collect()["trade_key"])


def remembered(market: KeyedMarket, publication: Publication) -> int:
    return load_base(market.lake, publication, SOURCES).ledger.frame.height


def sides(market: KeyedMarket) -> tuple[Pair, MadeAgain]:
    """An answer of the newest publication and all of the log."""
    batch = load_batch_side(market.lake, VIEWS, Publications(market.lake).newest(), None)
    sequence = batch.publication.sequence
    worker = SteppedWorker(market.lake, market.log, sources=SOURCES)
    worker.start(batch.publication)
    worker.step_to_end(sequence)
    pair = Pair(batch, worker.client.follow(sequence, None, 0))
    return pair, given_of(vouching(market.lake, sources=SOURCES), answer(Query(VIEWS["bars"], 60_000_000), pair))


def made_again(market: KeyedMarket, given: MadeAgain) -> MadeAgain:
    vouching_now = vouching(market.lake, market.log.open_reader, sources=SOURCES)
    return vouching_now.remaker.make_again(orjson.loads(given.receipt)["token"])


def trades_of(given: MadeAgain) -> int:
    return sum(row["trades"] for row in orjson.loads(given.rows))


def test_only_opaque_sources_have_a_horizon() -> None:
    assert horizons_us(SHIPPED_SOURCES) == {}
    assert horizons_us(SOURCES) == {"keyed": HORIZON_S * 1_000_000}


def test_a_repeat_within_the_horizon_is_a_duplicate_in_the_cycle_and_live(market: KeyedMarket) -> None:
    market.trade("10:00:00", trade_id="0xa")
    market.cycle()
    market.trade("10:00:00", trade_id="0xa", lane=1, arrives="10:03:19")
    market.trade("10:03:19", trade_id="0xb", lane=1)
    assert trades_of(sides(market)[1]) == 2
    publication = market.cycle()
    assert keys(market, publication) == ["0xa", "0xb"]
    assert publication.accounts[LANES[1]].duplicates == 1


def test_a_repeat_after_the_horizon_counts_anew_in_the_cycle_and_live(market: KeyedMarket) -> None:
    market.trade("10:00:00", trade_id="0xa")
    market.trade("10:03:21", trade_id="0xb")
    publication = market.cycle()
    assert remembered(market, publication) == 1
    market.trade("10:00:00", trade_id="0xa", lane=1, arrives="10:03:22")
    market.trade("10:03:21", trade_id="0xb", lane=1, arrives="10:03:22")
    assert trades_of(sides(market)[1]) == 3
    assert keys(market, market.cycle()) == ["0xa", "0xa", "0xb"]


def test_within_one_base_nothing_is_forgotten(market: KeyedMarket) -> None:
    market.trade("10:00:00", trade_id="0xa")
    market.trade("11:00:00", trade_id="0xb")
    market.trade("10:00:00", trade_id="0xa", lane=1, arrives="11:00:00")
    assert trades_of(sides(market)[1]) == 2
    assert keys(market, market.cycle()) == ["0xa", "0xb"]


def test_answers_are_made_again_by_what_was_remembered_then(market: KeyedMarket) -> None:
    market.trade("10:00:00", trade_id="0xa")
    market.cycle()
    market.trade("10:11:00", trade_id="0xb")
    market.trade("10:00:00", trade_id="0xa", lane=1, arrives="10:11:00")
    _, remembering = sides(market)
    assert trades_of(remembering) == 2
    market.cycle()
    market.trade("10:00:00", trade_id="0xa", arrives="10:12:00")
    _, forgetting = sides(market)
    assert trades_of(forgetting) == 3
    market.cycle()
    market.trade("10:30:00", trade_id="0xc")
    market.cycle()
    assert made_again(market, remembering) == remembering
    assert made_again(market, forgetting) == forgetting


def test_a_repeat_after_the_horizon_is_compared_with_no_body_that_is_forgotten(market: KeyedMarket) -> None:
    market.trade("10:00:00", trade_id="0xa", price="1")
    market.trade("10:20:00", trade_id="0xb")
    market.cycle()
    market.trade("10:20:00", trade_id="0xa", price="2")
    publication = market.cycle()
    assert keys(market, publication) == ["0xa", "0xa", "0xb"]
    market.trade("10:20:00", trade_id="0xa", price="1", arrives="10:20:01")
    publication = market.cycle()
    (letter,) = market.lake.scan("dead_letters", publication.tables["dead_letters"]).collect().to_dicts()
    assert letter["detail"].startswith("Trade 0xa of BTCUSDT at keyed had been taken from offset 2")
    assert letter["detail"].endswith("with price 2 and not 1.")


def test_two_keys_of_one_number_are_a_conflict_that_names_them(
    market: KeyedMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canonical, "numbers_of", lambda keys: numbers_of([key[:1] for key in keys]))
    market.trade("10:00:00", trade_id="a1")
    market.trade("10:00:00", trade_id="a2")
    publication = market.cycle()
    assert keys(market, publication) == ["a1"]
    (letter,) = market.lake.scan("dead_letters", publication.tables["dead_letters"]).collect().to_dicts()
    assert (letter["reason"], letter["trade_key"]) == ("conflict", "a2")
    assert "with trade key a1 and not a2" in letter["detail"]


def test_what_is_forgotten_leaves_the_ledger_when_it_is_rewritten_but_no_market_does(market: KeyedMarket) -> None:
    market.trade("09:00:00", trade_id="old", symbol="QUIET")
    for number in range(LEDGER_FILES + 1):
        market.trade(f"10:{number:02}:00", trade_id=f"k{number}")
        publication = market.cycle()
    rows = market.lake.scan("ledger", publication.tables["ledger"]).collect()
    assert rows.filter(pl.col("symbol") == "QUIET").height == 1
    assert rows.height < LEDGER_FILES
    assert remembered(market, publication) == 4


def test_the_doctor_takes_a_trade_that_counts_anew_for_sound_and_a_key_that_is_missing_for_a_fault(
    market: KeyedMarket,
) -> None:
    market.trade("10:00:00", trade_id="0xa")
    market.trade("10:20:00", trade_id="0xb")
    market.cycle()
    market.trade("10:00:00", trade_id="0xa", arrives="10:20:01")
    publication = market.cycle()
    assert list(look_at_contents(market.lake, publication, SOURCES)) == []
    market.trade("10:21:00", trade_id="0xc")
    later = market.cycle()
    ledger_of_before = {**later.tables, "ledger": publication.tables["ledger"]}
    (finding,) = look_at_contents(market.lake, replace(later, tables=ledger_of_before), SOURCES)
    assert "it has 2 ids of BTCUSDT at keyed where `trades` has 3" in str(finding)
