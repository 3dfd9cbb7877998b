"""Rows of a view over HTTP: in every format, by pages, of several names, and told once to those who have them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from io import BytesIO, StringIO
from typing import Any
from unittest.mock import patch

import httpx
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from eventually import eventually
from served import Served, assert_is_problem, served
from small_market import DAY, SmallMarket

from serving import answer, bounds, query, walks
from serving.presentation import MEDIA_TYPES

SYMBOLS = ("BTCUSDT", "ETHBTC", "ETHUSDT")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> SmallMarket:
    """Six minutes of three symbols, of which the first five are closed; one of BTCUSDT was revised."""
    market = SmallMarket(tmp_path_factory.mktemp("market"))
    for minute in range(6):
        for symbol in SYMBOLS:
            market.trade(f"10:{minute:02}:10", symbol=symbol, trade_id=minute, price=f"{100 + minute}.5", size="0.125")
    market.cycle()
    market.trade("10:01:30", trade_id=6, arrives="10:05:30")
    market.cycle()
    return market


@pytest.fixture(scope="module")
def api(market: SmallMarket) -> Iterator[Served]:
    with market.live_side() as address, served(market.lake, address) as api:
        eventually(api.is_ready)
        yield api


def get(api: Served, question: str = "", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.client.get(f"/v1/views/bars{question}", headers=named)


def texts(frame: pl.DataFrame) -> list[dict[str, str]]:
    """Values of a frame as CSV and JSON write them."""
    rows = frame.with_columns(pl.col(pl.Datetime).dt.strftime("%Y-%m-%dT%H:%M:%SZ")).with_columns(
        pl.all().cast(pl.String)
    )
    return rows.to_dicts()


def windows(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(row["symbol"], row["window_start"][11:16]) for row in rows]


def test_the_same_question_gives_the_same_values_in_every_format(api: Served) -> None:
    expected = [{name: str(value) for name, value in row.items()} for row in api.rows()]
    assert len(expected) == 18
    columns = get(api, "?layout=columns").json()["columns"]
    by_column = [dict(zip(columns, map(str, row), strict=True)) for row in zip(*columns.values(), strict=True)]
    assert by_column == expected
    assert list(csv.DictReader(StringIO(get(api, "?format=csv").text, newline=""))) == expected
    arrow = pa.ipc.open_stream(get(api, "?format=arrow").content).read_all()
    parquet = pq.read_table(BytesIO(get(api, "?format=parquet").content))
    for table in (arrow, parquet):
        assert texts(pl.DataFrame(pl.from_arrow(table))) == expected
        assert table.schema.field("notional").type == pa.decimal128(38, 16)
        assert table.schema.field("window_start").type == pa.timestamp("us", "UTC")


def test_receipt_and_freshness_go_with_every_format(api: Served) -> None:
    answer = api.bars(symbol="ETHBTC")
    assert json.loads(get(api, "?symbol=ETHBTC&format=csv").headers["twofold-receipt"]) == answer["receipt"]
    assert json.loads(get(api, "?symbol=ETHBTC&format=csv").headers["twofold-freshness"])["speed"] == "live"
    arrow = pa.ipc.open_stream(get(api, "?symbol=ETHBTC&format=arrow").content).schema.metadata
    parquet = pq.read_schema(BytesIO(get(api, "?symbol=ETHBTC&format=parquet").content)).metadata
    for metadata in (arrow, parquet):
        assert json.loads(metadata[b"twofold.receipt"]) == answer["receipt"]
        assert json.loads(metadata[b"twofold.freshness"]).keys() == answer["freshness"].keys()


@pytest.mark.parametrize("name", list(MEDIA_TYPES))
def test_a_format_is_asked_for_by_name_or_by_header(api: Served, name: str) -> None:
    by_header = get(api, "?last=1", accept=MEDIA_TYPES[name])
    by_name = get(api, f"?last=1&format={name}", accept="text/html")
    for response in (by_header, by_name):
        assert response.status_code == 200
        assert response.headers["content-type"].split(";")[0] == MEDIA_TYPES[name]
        assert "Accept" in response.headers["vary"]


def test_what_cannot_be_given_is_not_acceptable_and_what_exists_is_named(api: Served) -> None:
    assert_is_problem(get(api, accept="text/html"), 406, "text/html", "format=csv or Accept: text/csv")
    assert_is_problem(get(api, "?format=xml"), 406, "format=xml", "format=parquet")


def test_pages_put_together_are_the_whole_answer_in_order(api: Served) -> None:
    whole = api.rows()
    assert windows(whole) == sorted(windows(whole))
    answer, rows = api.bars(limit=7), []
    while True:
        rows += answer["rows"]
        if "next" not in answer:
            break
        assert len(answer["rows"]) == 7
        answer = api.bars(limit=7, cursor=answer["next"])
    assert rows == whole


def test_a_page_says_in_its_receipt_which_one_it_is(api: Served) -> None:
    first = api.bars(limit=7)
    second = api.bars(limit=7, cursor=first["next"])
    assert [page["receipt"]["query"].get("skip") for page in (first, second)] == [None, 7]
    assert first["receipt"]["positions"] == second["receipt"]["positions"]


@pytest.mark.parametrize("name", list(MEDIA_TYPES))
def test_every_format_leads_to_the_next_page(api: Served, name: str) -> None:
    page = get(api, f"?format={name}&limit=17&symbol=*")
    following = api.client.get(page.url.join(page.links["next"]["url"]))
    assert page.headers["twofold-next"] in page.links["next"]["url"]
    assert following.status_code == 200
    assert "link" not in following.headers
    assert following.headers["content-type"] == page.headers["content-type"]


def test_pages_stay_of_one_state_while_the_market_moves(tmp_path_factory: pytest.TempPathFactory) -> None:
    market = SmallMarket(tmp_path_factory.mktemp("moving"))
    for minute in range(4):
        market.trade(f"10:{minute:02}:10")
    market.cycle()
    with served(market.lake, worker_left=True) as api:
        before = api.wait_for("away")
        page = api.bars(limit=2)
        market.trade("10:00:20", arrives="10:03:20")
        market.trade("10:04:10")
        market.cycle()
        after = api.wait_until(lambda answer: answer["receipt"]["sequence"] == 2)
        again = api.bars(limit=2, cursor=page["next"])
    assert page["rows"] + again["rows"] == before["rows"]
    assert again["receipt"]["sequence"] == 1
    assert len(after["rows"]) == 5


def test_a_cursor_whose_answer_is_held_no_longer_is_gone(tmp_path_factory: pytest.TempPathFactory) -> None:
    market = SmallMarket(tmp_path_factory.mktemp("gone"))
    for minute in range(4):
        market.trade(f"10:{minute:02}:10")
    market.cycle()
    with served(market.lake, worker_left=True) as api, patch.object(walks, "MOST_WALKS", 1):
        api.wait_for("away")
        page = api.bars(limit=2)
        api.bars(limit=2, interval="2m", symbol="BTCUSDT", start=f"{DAY}T10:00:00Z")
        api.bars(limit=1, interval="2m")
        assert api.bars(limit=2, cursor=page["next"])["rows"] == api.rows()[2:]  # made again of the same state
        api.bars(limit=1, interval="2m")
        market.cycle()
        api.wait_until(lambda answer: answer["receipt"]["sequence"] == 2)
        api.bars(limit=1)
        assert_is_problem(
            api.get("/v1/views/bars", limit=2, cursor=page["next"]), 410, "no longer held", "without cursor"
        )


def test_a_cursor_goes_with_its_question(api: Served) -> None:
    cursor = api.bars(limit=2)["next"]
    assert_is_problem(api.get("/v1/views/bars", limit=2, cursor=cursor, symbol="ETHBTC"), 422, "another question")
    assert_is_problem(api.get("/v1/views/bars", limit=2, cursor="../../etc/passwd"), 422, "no cursor", "`next`")
    assert api.bars(limit=3, cursor=cursor, symbol="*")["rows"] == api.rows()[2:5]
    assert api.bars(cursor=cursor)["rows"] == api.rows()[2:]


@pytest.mark.parametrize(
    ("symbol", "found"),
    [
        ("ETHUSDT,BTCUSDT", ["BTCUSDT", "ETHUSDT"]),
        ("*USDT", ["BTCUSDT", "ETHUSDT"]),
        ("ETH*,BTCUSDT", ["BTCUSDT", "ETHBTC", "ETHUSDT"]),
        ("*", ["BTCUSDT", "ETHBTC", "ETHUSDT"]),
    ],
)
def test_several_symbols_may_be_asked_for_at_once(api: Served, symbol: str, found: list[str]) -> None:
    rows = api.rows(symbol=symbol, last=2)
    assert windows(rows) == [(symbol, minute) for symbol in found for minute in ("10:04", "10:05")]


def test_each_of_several_names_must_be_known(api: Served) -> None:
    for symbol in ("BTCUSDT,NOUSDT", "BTCUSDT,NO*", "NO*", "BTCUSDT,"):
        assert_is_problem(api.get("/v1/views/bars", symbol=symbol), 404, "no symbol", "Known: BTCUSDT, ETHBTC, ETHUSDT")


def test_columns_are_chosen_and_come_in_the_views_order(api: Served) -> None:
    (row,) = api.rows(symbol="ETHBTC", last=1, columns="volume,close")
    assert list(row) == ["venue", "symbol", "window_start", "close", "volume", "finality"]
    (all_of_it,) = api.rows(symbol="ETHBTC", last=1)
    assert row.items() <= all_of_it.items()
    assert list(api.rows(last=1, columns="venue")[0]) == ["venue", "symbol", "window_start", "finality"]


def test_an_unknown_column_is_not_found_and_those_that_exist_are_named(api: Served) -> None:
    refused = api.get("/v1/views/bars", columns="close,clsoe")
    assert_is_problem(refused, 404, "no column of view 'bars' 'clsoe'", "Did you mean 'close'?", "window_end")


def test_rows_are_chosen_by_finality_before_the_newest_are_taken(api: Served) -> None:
    assert windows(api.rows(finality="revised")) == [("BTCUSDT", "10:01")]
    assert windows(api.rows(finality="closed", last=1)) == [(symbol, "10:04") for symbol in SYMBOLS]
    settled = windows(api.rows(finality="closed,revised", symbol="BTC*", last=9, start=f"{DAY}T10:01:00Z"))
    assert settled == [("BTCUSDT", f"10:0{minute}") for minute in (1, 2, 3, 4)]
    assert_is_problem(api.get("/v1/views/bars", finality="final"), 422, "provisional, closed, revised")


def test_equal_questions_have_equal_receipts(api: Served) -> None:
    one = api.bars(
        symbol="ETHUSDT,BTCUSDT", columns="volume,close", finality="revised,closed", start=f"{DAY}T10:00:30Z"
    )
    other = api.bars(
        symbol="BTCUSDT,ETHUSDT,BTCUSDT",
        columns="close,volume,venue",
        finality="closed,revised",
        start=f"{DAY}T12:01:00+02:00",
    )
    assert one["receipt"] == other["receipt"]
    assert one["rows"] == other["rows"]
    everything = api.bars(symbol="*", venue="*", finality="held,closed,revised,provisional", interval="60s")
    assert everything["receipt"] == api.bars()["receipt"]


def test_who_has_an_answer_is_not_sent_it_again(api: Served) -> None:
    first = get(api, "?last=2")
    again = get(api, "?last=2", if_none_match=f'"x", {first.headers["etag"]}')
    assert (again.status_code, again.content) == (304, b"")
    for header in ("etag", "cache-control"):
        assert again.headers[header] == first.headers[header]
    assert get(api, "?last=2", if_none_match="*").status_code == 304


@pytest.mark.parametrize(
    "question", ["?last=3", "?last=2&format=csv", "?last=2&layout=columns", "?last=2&base=published"]
)
def test_another_question_or_format_has_another_tag(api: Served, question: str) -> None:
    tag = get(api, "?last=2").headers["etag"]
    assert get(api, question, if_none_match=tag).status_code == 200


def test_what_has_moved_has_another_tag(tmp_path_factory: pytest.TempPathFactory) -> None:
    market = SmallMarket(tmp_path_factory.mktemp("moving"))
    market.trade("10:00:10")
    market.cycle()
    with served(market.lake, worker_left=True) as api:
        api.wait_for("away")
        tag = get(api).headers["etag"]
        market.trade("10:00:20")
        market.cycle()
        api.wait_until(lambda answer: answer["receipt"]["sequence"] == 2)
        assert get(api, "", if_none_match=tag).status_code == 200


def test_only_answers_about_windows_that_are_over_may_be_kept_for_a_while(api: Served) -> None:
    assert get(api, "?last=2").headers["cache-control"] == "no-cache"
    assert get(api, f"?end={DAY}T10:06:00Z").headers["cache-control"] == "no-cache"
    assert get(api, f"?end={DAY}T10:05:00Z").headers["cache-control"] == "max-age=10"


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("name", ["json", "csv", "arrow"])
def test_answers_are_compressed_if_that_is_welcome(api: Served, encoding: str, name: str) -> None:
    plain = get(api, f"?format={name}", accept_encoding="identity")
    small = get(api, f"?format={name}", accept_encoding=encoding)
    assert small.headers["content-encoding"] == encoding
    assert "content-encoding" not in plain.headers
    assert {"Accept", "Accept-Encoding"} <= {part.strip() for part in small.headers["vary"].split(",")}
    length = int(small.headers["content-length"])
    assert length < int(plain.headers["content-length"]) / 2
    if name == "csv":
        assert small.text == plain.text


def test_a_large_answer_is_whole_in_every_encoding(api: Served) -> None:
    with patch("serving.reply.PART_BYTES", 100):
        for encoding in ("identity", "gzip", "zstd"):
            response = get(api, "?format=csv", accept_encoding=encoding)
            assert len(response.text.splitlines()) == 19


def test_ten_years_of_minutes_are_a_fair_question_up_to_a_bound(api: Served) -> None:
    decade = "start=2015-01-01T00:00:00Z&end=2025-01-01T00:00:00Z&interval=1m"
    assert len(get(api, f"?{decade}").json()["rows"]) == 18
    with patch.object(answer, "MOST_PARTIALS", 17):
        assert_is_problem(
            get(api, f"?{decade}&interval=5m".replace("interval=1m&", "")), 422, "at most 17", "start, end"
        )
    with patch.object(answer, "MOST_ROWS", 17):
        assert_is_problem(get(api, f"?{decade}&base=published"), 422, "18 rows", "at most 17", "longer interval")
    with patch.object(answer, "MAX_LIMIT", 17):
        assert_is_problem(get(api, f"?{decade}&columns=close"), 422, "18 rows", "at most 17", "Add limit=17")
        assert len(get(api, f"?{decade}&columns=close&limit=17").json()["rows"]) == 17


@pytest.mark.parametrize("number", [0, -1, query.MAX_LIMIT + 1])
def test_a_page_has_a_bound(api: Served, number: int) -> None:
    assert_is_problem(get(api, f"?limit={number}"), 422, f"limit={number} is not between 1 and {query.MAX_LIMIT}")


@pytest.mark.parametrize(
    "symbol", ["../../etc/passwd", "%2e%2e%2f", "a%00b", "%0d%0aSet-Cookie:x=1", "*%ff*", "'%20OR%201=1"]
)
def test_odd_symbols_are_names_like_others(api: Served, symbol: str) -> None:
    refused = get(api, f"?symbol={symbol}")
    assert_is_problem(refused, 404, "no symbol", "Known: BTCUSDT, ETHBTC, ETHUSDT")
    assert "set-cookie" not in refused.headers


def test_too_large_a_request_is_refused_with_the_bound(api: Served) -> None:
    assert_is_problem(get(api, "?symbol=" + "x" * bounds.MOST_ADDRESS_BYTES), 414, str(bounds.MOST_ADDRESS_BYTES))
    assert_is_problem(get(api, x_large="x" * bounds.MOST_HEADER_BYTES), 431, str(bounds.MOST_HEADER_BYTES))
    large = api.client.request("GET", "/v1/views", content=b"x" * (bounds.MOST_BODY_BYTES + 1))
    assert_is_problem(large, 413, "no path here takes")


def test_the_type_of_a_problem_leads_to_what_it_means(api: Served) -> None:
    for refused in (get(api, "?limit=0"), get(api, "?symbol=NO"), api.get("/nowhere"), api.client.post("/v1/views")):
        problem = refused.json()
        meaning = api.client.get(refused.url.join(problem["type"])).json()
        assert {name: meaning[name] for name in ("type", "title", "status")} == {
            name: problem[name] for name in ("type", "title", "status")
        }
    listed = api.get("/v1/problems").json()["problems"]
    assert meaning in listed
    assert_is_problem(api.get("/v1/problems/nonsense"), 404, "no problem 'nonsense'", "cursor_gone")


def test_the_openapi_document_describes_problems_and_no_other_refusals(api: Served) -> None:
    document = api.get("/openapi.json").json()
    described = [(path, each) for path, operations in document["paths"].items() for each in operations.values()]
    for path, operation in described:
        for status, response in operation["responses"].items():
            if path == "/api/v3/klines" and status in {"400", "500", "503"}:
                assert list(response["content"]) == ["application/json"]  # as Binance writes them
            elif status[0] in "45":
                assert list(response["content"]) == ["application/problem+json"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
    rows = document["paths"]["/v1/views/{view}"]["get"]
    assert set(MEDIA_TYPES.values()) == set(rows["responses"]["200"]["content"])
    for parameter in rows["parameters"]:
        assert parameter["description"]
        assert parameter["schema"].keys() & {"examples", "enum", "pattern", "default"}
