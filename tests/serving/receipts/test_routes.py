"""Receipts over HTTP: an answer made again, and each refusal said plainly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from eventually import eventually
from served import Served, assert_is_problem, served
from small_market import LANES, SmallMarket
from vouched import KEYS, vouching

from serving.query import Query
from serving.receipts.token import TokenSigner
from serving.state import State
from twofold.edition import Edition
from twofold.publication import PUBLICATIONS, Publications, publish
from twofold.source import SHIPPED_SOURCES
from twofold.views import VIEWS

OTHER = "another key of receipts in tests, which is as long"


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    market = SmallMarket(tmp_path)
    market.trade("10:00:01")
    market.trade("10:05:01", lane=1)
    market.cycle()
    market.trade("10:05:02")
    return market


@pytest.fixture
def api(market: SmallMarket) -> Iterator[Served]:
    receipts = vouching(market.lake, market.log.open_reader, share=1.0)
    with market.live_side() as address, served(market.lake, address, receipts=receipts) as api:
        eventually(lambda: api.is_ready() and api.bars()["receipt"]["positions"][LANES[0]] == 2)
        yield api


def text_of(response: httpx.Response) -> bytes:
    """Rows and receipt of an answer, as they stand there."""
    begin = response.content.index(b'"rows":')
    end = max(response.content.find(behind) for behind in (b',"next":', b',"freshness":'))
    return response.content[begin : response.content.find(b',"next":') if b',"next":' in response.content else end]


def again(api: Served, token: str) -> httpx.Response:
    return api.get(f"/v1/receipts/{token}")


def token_of(api: Served, **asked: str | int) -> str:
    token: str = api.bars(**asked)["receipt"]["token"]
    return token


ASKED: list[dict[str, Any]] = [
    {},
    {"last": 1},
    {"interval": "5m"},
    {"base": "published"},
    {"symbol": "*USDT", "columns": "close,trades", "finality": "provisional,closed"},
    {"venue": "simulator,*", "last": 1, "finality": "closed"},
    {"columns": "venue"},
    {"start": "2024-08-09T10:02:00Z"},
]


@pytest.mark.parametrize("asked", ASKED)
def test_rows_and_receipt_are_the_same_bytes_also_when_more_was_published(
    asked: dict[str, str | int], api: Served, market: SmallMarket
) -> None:
    response = api.get("/v1/views/bars", **asked)
    token = response.json()["receipt"]["token"]
    assert again(api, token).content == b"{%b}" % text_of(response)
    market.trade("10:00:03")
    market.cycle()
    market.log.trim(LANES[0], 3)
    assert again(api, token).content == b"{%b}" % text_of(response)


def test_each_page_is_made_again(api: Served) -> None:
    first = api.get("/v1/views/bars", limit=1)
    second = api.get("/v1/views/bars", limit=1, cursor=first.json()["next"])
    for page in (first, second):
        assert len(page.json()["rows"]) == 1
        assert again(api, page.json()["receipt"]["token"]).content == b"{%b}" % text_of(page)


def test_every_format_carries_the_same_receipt(api: Served) -> None:
    token = token_of(api, limit=1)
    receipt = again(api, token).content.partition(b',"receipt":')[2][:-1]
    files = {name: api.get("/v1/views/bars", limit=1, format=name).content for name in ("arrow", "parquet")}
    schemas = pa.ipc.open_stream(files["arrow"]).schema, pq.read_schema(BytesIO(files["parquet"]))
    assert [schema.metadata[b"twofold.receipt"] for schema in schemas] == [receipt, receipt]
    told = api.get("/v1/views/bars", limit=1, format="csv").headers["Twofold-Receipt"]
    assert orjson.loads(told) == orjson.loads(receipt)
    assert orjson.loads(receipt)["token"] == token


def test_a_publication_that_was_given_up_is_gone(api: Served, market: SmallMarket) -> None:
    token = token_of(api)
    newest = Publications(market.lake).newest()
    publish(market.lake, replace(newest, sequence=2, given_up=(1,)))
    assert_is_problem(again(api, token), 410, "Publication 1", "given up")


def test_an_answer_without_rows_is_made_again_too(api: Served) -> None:
    response = api.get("/v1/views/bars", start="2030-01-01T00:00:00Z")
    assert response.json()["rows"] == []
    assert again(api, response.json()["receipt"]["token"]).content == b"{%b}" % text_of(response)


def test_a_token_that_is_cut_off_altered_or_of_another_key_is_refused(api: Served) -> None:
    token = token_of(api)
    forged = TokenSigner([OTHER]).sign(Query(VIEWS["bars"], 60_000_000), State.of(api.seam.pair("live")))
    for wrong in (token[:-1], token[1:], token.replace("1j", "1z", 1), forged, "x", "..%2F..%2Fetc%2Fpasswd"):
        response = again(api, wrong)
        assert response.status_code in (400, 404)
        assert response.headers["content-type"] == "application/problem+json"
        assert KEYS[0] not in response.text
    assert_is_problem(again(api, forged), 400, "signature", "TWOFOLD_RECEIPT_KEYS")


def test_a_token_of_a_key_that_was_rotated_is_known(api: Served, market: SmallMarket) -> None:
    token = token_of(api)
    receipts = vouching(market.lake, market.log.open_reader, keys=[OTHER, *KEYS])
    with served(market.lake, receipts=receipts) as rotated:
        assert again(rotated, token).content == again(api, token).content
        assert token_of(rotated, base="published") != token_of(api, base="published")


def signed(api: Served, query: Query | None = None, base: str = "live", **changes: Any) -> str:  # noqa: ANN401
    """A token of an answer as it would be had the publication been another."""
    pair = api.seam.pair("live" if base == "live" else "published")
    batch = replace(pair.batch, publication=replace(pair.batch.publication, **changes))
    return TokenSigner(KEYS).sign(query or Query(VIEWS["bars"], 60_000_000), State.of(replace(pair, batch=batch)))


def test_a_publication_that_the_lake_does_not_have_is_not_found(api: Served) -> None:
    assert_is_problem(again(api, signed(api, sequence=77)), 404, "publication 77", "1 to 1")


def test_another_publication_of_that_number_is_a_conflict(api: Served) -> None:
    at = api.seam.pair("live").batch.publication.published_at
    assert_is_problem(again(api, signed(api, published_at=at - timedelta(hours=1))), 409, "publication 1", "another")
    assert_is_problem(again(api, signed(api, cut={LANES[0]: 0})), 409, "publication 1")


def test_another_decoder_is_a_conflict_where_something_must_be_decoded(api: Served) -> None:
    assert_is_problem(again(api, signed(api, decoder_hash="d" * 64)), 409, "d" * 16, "version of Twofold")


def test_other_declarations_of_sources_are_a_conflict_where_something_must_be_decoded(
    api: Served, market: SmallMarket
) -> None:
    others = {**SHIPPED_SOURCES, "more": SHIPPED_SOURCES["simulator"]}
    receipts = vouching(market.lake, market.log.open_reader, sources=others)
    live, published = token_of(api), token_of(api, base="published")
    with served(market.lake, receipts=receipts) as other:
        assert_is_problem(again(other, live), 409, "TWOFOLD_SOURCES")
        assert again(other, published).is_success


def test_a_view_that_the_lake_does_not_carry_as_it_was_is_gone(api: Served, market: SmallMarket) -> None:
    token, bars = token_of(api), Publications(market.lake).newest().served(VIEWS)["bars"]
    reordered = replace(bars.view, aggregates=dict(reversed(bars.view.aggregates.items())))
    others: list[tuple[Edition, str]] = [
        (replace(bars, hash="0123"), "is not in the lake"),
        (replace(bars, state="retired", since=7, definition=""), "was retired by publication 7"),
        (Edition.of(reordered, "served", 1, bars.table), "has its columns in another order"),
    ]
    for edition, said in others:
        newest = Publications(market.lake).newest()
        publish(market.lake, replace(newest, sequence=newest.sequence + 1, editions=(edition,)))
        assert_is_problem(again(api, token), 410, f"'bars' with the hash {bars.hash} {said}", "twofold view build")


def test_records_that_are_gone_are_named(api: Served, market: SmallMarket) -> None:
    token = token_of(api)
    market.log.trim(LANES[0], 2)
    assert_is_problem(again(api, token), 410, f"{LANES[0]} from 1 to 1")
    market.cycle()
    assert_is_problem(again(api, token), 410, f"{LANES[0]} from 1 to 1")


def test_without_an_event_log_what_lies_in_the_lake_is_made_again(api: Served, market: SmallMarket) -> None:
    live, published = token_of(api), token_of(api, base="published")
    with served(market.lake) as other:
        assert_is_problem(again(other, live), 503, "no event log")
        assert again(other, published).is_success
        market.cycle()
        assert again(other, live).is_success


def test_the_lake_may_be_gone(api: Served, market: SmallMarket) -> None:
    token = token_of(api)
    path = Path(market.lake.address(PUBLICATIONS.name))
    path.rename(path.with_name("away"))
    assert_is_problem(again(api, token), 503, "no lake")


def test_what_came_of_the_samples_is_shown(api: Served) -> None:
    waiting = api.get("/v1/verification").json()["waiting"]
    api.bars(last=1, interval="2m")
    shown = api.get("/v1/verification").json()
    assert (shown["waiting"], shown["same"], shown["different"]) == (waiting + 1, 0, 0)
