"""Samples are made again in a process of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_market import SmallMarket
from vouched import given_of

from serving.answer import answer
from serving.batch_side import load_batch_side
from serving.query import Query
from serving.receipts.checking import check_beside
from serving.receipts.opening import open_receipts
from serving.receipts.verification import Outcome, Sample, digest
from serving.seam import Pair
from serving.state import State
from twofold.errors import ReceiptError
from twofold.port import free_port
from twofold.publication import Publications
from twofold.settings import load_settings
from twofold.views import VIEWS


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallMarket:
    """A market after a cycle, which the settings name; its event log does not answer."""
    market = SmallMarket(tmp_path)
    market.trade("10:00:00")
    market.cycle()
    monkeypatch.setenv("TWOFOLD_DATA_FOLDER", str(tmp_path / "data"))
    monkeypatch.setenv("TWOFOLD_LAKE", market.lake.root)
    monkeypatch.setenv("TWOFOLD_BOOTSTRAP_SERVERS", f"127.0.0.1:{free_port()}")
    return market


def test_what_is_the_same_and_what_is_not_is_found_beside_this_process(market: SmallMarket) -> None:
    receipts = open_receipts(load_settings(), check_beside)
    pair = Pair(load_batch_side(market.lake, VIEWS, Publications(market.lake).newest(), None))
    query = Query(VIEWS["bars"], 60_000_000)
    token, given = receipts.signer.sign(query, State.of(pair)), given_of(receipts, answer(query, pair))
    same, other, invalid = check_beside([Sample(token, digest(given)), Sample(token, "0" * 64), Sample("x", "")])
    assert (same, other) == (Outcome(token, same=True), Outcome(token))
    assert invalid.why_not_made is not None
    assert "signature" in invalid.why_not_made


@pytest.mark.usefixtures("market")
def test_a_process_that_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWOFOLD_RECEIPT_KEYS", "/dev/null")
    with pytest.raises(ReceiptError, match="exit code 1"):
        check_beside([Sample("x", "")])
