"""Law 7, as far as answers go back to partials: what a receipt names makes the same rows again, from nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from laws.market import Market, steady_trades
from laws.parts import SteppedWorker, everything_merged_soon, run_cycle

from serving.answer import answer
from serving.batch_side import load_batch_side
from serving.query import Query
from serving.seam import Pair
from twofold.lake import Lake
from twofold.publication import Publications, found_lake
from twofold.views import VIEWS

ASKED = [
    Query(view, interval_us, symbol=symbol, last=last)
    for view in VIEWS.values()
    for interval_us, symbol, last in ((60_000_000, None, None), (300_000_000, "BTCUSDT", 3))
]


def given(query: Query, pair: Pair) -> bytes:
    """Rows and receipt as they leave the API."""
    found = answer(query, pair)
    return orjson.dumps({"rows": found.json_rows(), "receipt": found.receipt()})


def make_again(root: str, market: Market, given_before: dict[str, Any]) -> bytes:
    """Answer from a receipt, with every cache gone: the publication it names, and the log up to its positions."""
    receipt = given_before["receipt"]
    lake = Lake(root)
    publication = Publications(lake).at(receipt["sequence"])
    batch = load_batch_side(lake, VIEWS, publication, None)
    worker = SteppedWorker(lake, market.log.up_to(receipt["positions"]))
    worker.start(publication)
    worker.step_to_end(publication.sequence)
    pair = Pair(batch, worker.client.follow(publication.sequence, None, 0))
    asked = receipt["query"]
    query = Query(VIEWS[asked["view"]], asked["interval_us"], symbol=asked.get("symbol"), last=asked.get("last"))
    return given(query, pair)


def test_an_answer_is_made_again_from_its_receipt_byte_for_byte(tmp_path: Path) -> None:
    market = Market()
    lake = Lake(str(tmp_path))
    found_lake(lake)
    trades = steady_trades(140)
    answers: list[bytes] = []
    with everything_merged_soon():
        worker = SteppedWorker(lake, market.log)
        batch = load_batch_side(lake, VIEWS, Publications(lake).newest(), None)
        speed = None
        for turn in range(8):
            worker.start(batch.publication)
            for start in range(3):
                market.send(trades[turn * 18 + start * 6 :][:6])
                worker.step(turn, [(0, 2), (2, 1), (1, 1)])
                speed = worker.client.follow(turn, speed, 0)
                answers += [given(query, Pair(batch, speed)) for query in ASKED]
            batch = load_batch_side(lake, VIEWS, run_cycle(lake, market.log, max_records=14), batch)
        for before in answers:
            assert make_again(lake.root, market, orjson.loads(before)) == before
    assert len({orjson.dumps(orjson.loads(each)["receipt"]) for each in answers}) == len(answers)
