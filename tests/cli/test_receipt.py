"""`twofold receipt`: shown, and verified through serving or directly on the lake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from served import Served, served
from small_market import LANES, SmallMarket
from typer.testing import CliRunner, Result

from serving.receipts.opening import open_receipts
from twofold.cli.app import app
from twofold.errors import QueryError, ReceiptInvalid
from twofold.port import free_port
from twofold.settings import load_settings
from twofold.views import VIEWS


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallMarket:
    market = SmallMarket(tmp_path)
    market.trade("10:00:00", price="100")
    market.trade("10:01:00", lane=1)
    market.cycle()
    monkeypatch.setenv("TWOFOLD_DATA_FOLDER", str(tmp_path / "data"))
    monkeypatch.setenv("TWOFOLD_LAKE", market.lake.root)
    monkeypatch.setenv("TWOFOLD_BOOTSTRAP_SERVERS", f"127.0.0.1:{free_port()}")
    return market


@pytest.fixture
def api(market: SmallMarket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    with served(market.lake, receipts=open_receipts(load_settings(), lambda _: ())) as api:
        monkeypatch.setenv("TWOFOLD_SERVING_ADDRESS", f"127.0.0.1:{api.client.base_url.port}")
        yield api


@pytest.fixture
def answer(api: Served) -> dict[str, Any]:
    eventually(lambda: api.get("/v1/views/bars", base="published").is_success)
    return api.bars(base="published")


def receipt(*words: str) -> Result:
    return CliRunner().invoke(app, ["receipt", *words])


def saved(folder: Path, answer: dict[str, Any]) -> str:
    file = folder / "answer.json"
    file.write_text(json.dumps(answer, indent=2), encoding="utf-8")
    return str(file)


def test_what_an_answer_was_made_of_is_shown(answer: dict[str, Any], tmp_path: Path) -> None:
    shown = receipt("show", answer["receipt"]["token"]).output
    for word in ("fits", "bars, hash", VIEWS["bars"].hash, "publication", "published", "batch side alone", *LANES):
        assert word in shown
    assert receipt("show", saved(tmp_path, answer)).output == shown


def test_a_signature_that_cannot_be_checked_or_does_not_fit_is_said_so(
    answer: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = answer["receipt"]["token"]
    keys = tmp_path / "other-keys"
    monkeypatch.setenv("TWOFOLD_RECEIPT_KEYS", str(keys))
    assert "not checked" in receipt("show", token).output
    assert not keys.exists()
    keys.write_text("o" * 40, encoding="utf-8")
    assert "does not fit" in receipt("show", token).output


@pytest.mark.parametrize("options", [[], ["--directly"]])
def test_a_saved_answer_that_comes_out_the_same_is_equal(
    options: list[str], answer: dict[str, Any], tmp_path: Path
) -> None:
    result = receipt("verify", saved(tmp_path, answer), *options)
    assert (result.exit_code, result.output) == (0, "Equal: 2 rows of publication 1.\n")


@pytest.mark.parametrize("options", [[], ["--directly"]])
def test_a_saved_answer_that_was_tampered_with_differs(
    options: list[str], answer: dict[str, Any], tmp_path: Path
) -> None:
    answer["rows"][0]["close"] = "101.00000000"
    result = receipt("verify", saved(tmp_path, answer), *options)
    assert result.exit_code == 1
    assert "close is '101.00000000' in what was saved, and '100.00000000' again" in result.output
    assert "Differences: 1." in result.output


def test_a_token_alone_is_made_again(answer: dict[str, Any]) -> None:
    result = receipt("verify", answer["receipt"]["token"])
    assert result.exit_code == 0
    assert "It can be made again: 2 rows of publication 1." in result.output


def test_what_is_no_receipt_is_refused(answer: dict[str, Any], tmp_path: Path) -> None:
    forged = answer["receipt"]["token"][:-2]
    through, direct = receipt("verify", forged), receipt("verify", forged, "--directly")
    assert isinstance(through.exception, QueryError)
    assert isinstance(direct.exception, ReceiptInvalid)
    assert "signature" in str(through.exception)
    assert isinstance(receipt("show", "nothing").exception, ReceiptInvalid)
    for text in ("{", "[]", '{"rows": []}', '{"rows": 1, "receipt": {"token": "x"}}'):
        (tmp_path / "answer.json").write_text(text, encoding="utf-8")
        assert "no answer of the serving API" in str(receipt("show", str(tmp_path / "answer.json")).exception)
