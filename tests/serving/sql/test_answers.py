"""Answers to SQL over the API as it runs: what they are made of, how they are written, and how a query is refused."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from io import BytesIO
from typing import Any
from unittest.mock import patch

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from eventually import eventually
from served import Served, assert_is_problem, served
from small_market import DAY, SmallMarket
from vouched import vouching

from serving import app, bounds
from serving.routes import sql as route
from serving.sql import answering
from serving.sql.limits import Limits

ENDLESS = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A market with closed bars in the lake, and live trades on top of them and beside."""
    market = SmallMarket(tmp_path_factory.mktemp("market"))
    for clock, price in (("10:00:10", "100"), ("10:01:10", "101.5"), ("10:05:00", "102"), ("10:05:01", "103")):
        market.trade(clock, price=price, size="0.3", side="sell")
    market.trade("10:05:02", symbol="ETHUSDT", price="7.25", lane=1, trade_id=1)
    market.cycle()
    market.trade("10:05:30", price="104.25", size="0.1")
    with (
        market.live_side() as address,
        served(market.lake, address, vouching(market.lake, market.log.open_reader)) as api,
    ):
        eventually(api.is_ready)
        yield api


def asked(api: Served, sql: str, **parameters: str | int) -> dict[str, Any]:
    response = api.get("/v1/sql", query=sql, **parameters)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def test_a_view_has_the_rows_of_its_answer_with_finality(api: Served) -> None:
    for view in ("bars", "taker_flow"):
        told = asked(api, f"SELECT * FROM {view} ORDER BY venue, symbol, window_start")  # noqa: S608  # of a list
        assert told["rows"] == api.answer(view)["rows"]
    assert [row["finality"] for row in told["rows"]] == ["closed", "closed", "provisional", "provisional"]


def test_all_views_are_of_one_publication_and_the_same_positions(api: Served) -> None:
    told = asked(
        api,
        "SELECT b.symbol, b.trades, f.buy_volume + f.sell_volume = b.volume AS agrees FROM bars b JOIN taker_flow f "
        "USING (venue, symbol, window_start) ORDER BY ALL",
    )
    assert [row["agrees"] for row in told["rows"]] == [True] * 4
    bars, flow = told["receipts"]
    assert [receipt["query"]["view"] for receipt in (bars, flow)] == ["bars", "taker_flow"]
    assert (bars["sequence"], bars["positions"]) == (flow["sequence"], flow["positions"])
    assert told["freshness"]["speed"] == "live"
    for receipt in (bars, flow):
        again = api.get(f"/v1/receipts/{receipt['token']}").json()
        assert again["receipt"] == receipt
        assert len(again["rows"]) == 4


def test_sums_of_decimals_are_exact(api: Served) -> None:
    told = asked(
        api, "SELECT sum(notional) AS n, sum(volume) AS v, count(*) AS rows FROM bars WHERE symbol = 'BTCUSDT'"
    )
    exact = sum(Decimal(price) * Decimal(size) for price, size in (("406.5", "0.3"), ("104.25", "0.1")))
    assert Decimal(told["rows"][0]["n"]) == exact
    assert told["rows"][0] == {"n": f"{exact:.16f}", "v": "1.30000000", "rows": 3}


def test_what_a_query_reads_is_narrowed_by_the_parameters_of_views(api: Served) -> None:
    def starts(**parameters: str | int) -> list[str]:
        told = asked(api, "SELECT window_start FROM bars ORDER BY ALL", **parameters)
        return [row["window_start"][11:16] for row in told["rows"]]

    assert starts(symbol="ETH*") == ["10:05"]
    assert starts(symbol="BTCUSDT", last=2) == ["10:01", "10:05"]
    assert starts(symbol="BTCUSDT", interval="5m") == ["10:00", "10:05"]
    assert starts(start=f"{DAY}T10:01:00Z", end=f"{DAY}T10:05:00Z") == ["10:01"]
    assert starts(finality="closed") == ["10:00", "10:01"]
    published = asked(api, "SELECT trades FROM bars ORDER BY trades DESC LIMIT 1", base="published")
    assert published["rows"] == [{"trades": 2}]
    assert published["freshness"]["speed"] == "unused"


def test_a_query_that_reads_no_view_is_made_of_nothing(api: Served) -> None:
    response = api.get("/v1/sql", query="VALUES (1, 'a', true, NULL)")
    assert response.json()["rows"] == [{"col0": 1, "col1": "a", "col2": True, "col3": None}]
    assert response.json()["receipts"] == []
    assert "twofold-token" not in response.headers


def test_names_of_a_with_clause_may_hide_a_view_and_views_may_be_written_large(api: Served) -> None:
    assert asked(api, "WITH bars AS (SELECT 1 AS x) SELECT * FROM bars")["rows"] == [{"x": 1}]
    assert (
        len(
            asked(api, 'SELECT * FROM "BARS" AS b, (SELECT max(window_start) AS m FROM Bars) WHERE b.window_start = m')[
                "rows"
            ]
        )
        == 2
    )


def test_the_body_of_a_post_does_as_well(api: Served) -> None:
    sql = "SELECT count(*) AS n FROM bars"
    response = api.client.post("/v1/sql?symbol=BTCUSDT", json={"query": sql})
    assert response.status_code == 200, response.text
    assert response.json()["rows"] == asked(api, sql, symbol="BTCUSDT")["rows"] == [{"n": 3}]


SQL_OF_ALL_TYPES = """
SELECT symbol, window_start, trades, close, vwap, close / 3 AS third, finality = 'closed' AS is_closed,
  window_start::DATE AS day, sum(trades) OVER () AS huge, NULL::VARCHAR AS nothing, 'a"b,c' || chr(10) AS odd,
  window_start::TIMESTAMP AS local, '2024-01-01 00:00:00.123456789'::TIMESTAMP_NS AS nanoseconds, 1::UTINYINT AS tiny
FROM bars ORDER BY symbol, window_start
"""


def test_values_are_the_same_in_every_format(api: Served) -> None:
    by_rows = asked(api, SQL_OF_ALL_TYPES)
    first = by_rows["rows"][0]
    assert first["window_start"] == first["local"] == f"{DAY}T10:00:00Z"
    assert first["nanoseconds"] == "2024-01-01T00:00:00.123456Z"
    assert (first["close"], first["day"], first["huge"]) == ("100.00000000", DAY, "6")
    assert first["third"] == pytest.approx(100 / 3)
    by_columns = asked(api, SQL_OF_ALL_TYPES, format="json", layout="columns")
    assert {name: [row[name] for row in by_rows["rows"]] for name in first} == by_columns["columns"]
    arrow = api.get("/v1/sql", query=SQL_OF_ALL_TYPES, format="arrow")
    table = pa.ipc.open_stream(arrow.content).read_all()
    frame = pl.DataFrame(table)
    assert frame["close"].dtype == pl.Decimal(18, 8)
    assert frame["window_start"].dtype == frame["local"].dtype == pl.Datetime("us", "UTC")
    metadata = {name: orjson.loads(text) for name, text in table.schema.metadata.items()}
    assert metadata[b"twofold.receipts"] == by_rows["receipts"]
    assert metadata[b"twofold.freshness"]["speed"] == "live"
    parquet = api.get("/v1/sql", query=SQL_OF_ALL_TYPES, format="parquet")
    assert pl.DataFrame(pq.read_table(BytesIO(parquet.content))).equals(frame)
    csv = api.get("/v1/sql", query=SQL_OF_ALL_TYPES, format="csv")
    lines = csv.text.split("\r\n")
    assert lines[0].split(",")[:4] == ["symbol", "window_start", "trades", "close"]
    assert pl.read_csv(BytesIO(csv.content))["odd"].to_list() == ['a"b,c\n'] * 4
    assert csv.headers["twofold-token"] == arrow.headers["twofold-token"] == by_rows["receipts"][0]["token"]
    assert orjson.loads(csv.headers["twofold-freshness"])["speed"] == "live"


def test_floats_that_json_has_no_number_for_are_null(api: Served) -> None:
    response = api.get("/v1/sql", query="SELECT 'nan'::DOUBLE AS a, 'inf'::DOUBLE AS b, -'inf'::FLOAT AS c")
    assert orjson.loads(response.content)["rows"] == [{"a": None, "b": None, "c": None}]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT [1, 2] AS a", "The column 'a' of the answer is list"),
        ("SELECT {'x': 1} AS a", "struct"),
        ("SELECT INTERVAL 1 DAY AS a", "The column 'a'"),
        ("SELECT 'x'::BLOB AS a", "binary"),
        ("SELECT TIME '10:00:00' AS a", "time64"),
        ("SELECT map {'x': 1} AS a", "map"),
        ("SELECT 1 AS a, 2 AS a", "More than one column of the answer is called 'a'"),
        ("SELECT 'infinity'::TIMESTAMP AS a", "not in the years 1 to 9999"),
        ("SELECT 'infinity'::DATE AS a", "not in the years 1 to 9999"),
        ("SELECT '50000-01-01'::TIMESTAMP_S AS a", "not in the years 1 to 9999"),
        ("SELECT DATE '0044-03-15 (BC)' AS a", "not in the years 1 to 9999"),
    ],
)
def test_columns_that_answers_do_not_have_are_refused_with_what_to_write(api: Served, sql: str, words: str) -> None:
    assert_is_problem(api.get("/v1/sql", query=sql), 422, words)


def test_other_types_are_given_as_text_where_they_are_cast(api: Served) -> None:
    sql = "SELECT [1, 2]::VARCHAR AS a, (INTERVAL 1 DAY)::VARCHAR AS b, uuid()::VARCHAR IS NULL AS c"
    assert asked(api, sql)["rows"] == [{"a": "[1, 2]", "b": "1 day", "c": False}]


def refused(api: Served, sql: str, status: int, *words: str, **parameters: str | int) -> None:
    assert_is_problem(api.get("/v1/sql", query=sql, **parameters), status, *words)


def test_a_query_is_refused_with_what_is_wrong_and_what_exists(api: Served) -> None:
    refused(api, "SELECT * FROM bar", 404, "no view 'bar'", "Did you mean 'bars'?", "taker_flow")
    refused(api, "SELECT clse FROM bars", 422, "clse", "close")
    refused(api, "SELECT 1; SELECT 2", 422, "this is 2 statements")
    refused(api, "DROP TABLE bars", 422, "this is DROP")
    refused(api, "SELECT * FROM read_text('/etc/hosts')", 422, "read_text() is not answered", "generate_series")
    refused(api, "SELECT * FROM bars", 404, "no symbol 'NONE'", "Known: BTCUSDT", symbol="NONE")
    refused(api, "SELECT * FROM bars", 422, "no multiple of the grain", interval="90s")
    refused(api, "SELECT 1", 422, "'limit'", "it takes", "query", "symbol", limit=3)
    refused(api, "SELECT 1", 406, "format=json", format="xml")
    refused(api, "SELECT '\0'", 422, "NUL")
    kind = api.get("/v1/sql", query="SELECT 1 FROM").json()["type"]
    assert api.get(kind).json()["title"] == "The query in SQL cannot be answered"


def test_a_body_that_is_no_question_is_refused(api: Served) -> None:
    def posted(**sent: Any) -> Any:  # noqa: ANN401  # as httpx takes it
        return api.client.post("/v1/sql", **sent)

    as_json = {"Content-Type": "application/json"}
    assert_is_problem(posted(json={"sql": "SELECT 1"}), 422, "query")
    assert_is_problem(posted(json={"query": "SELECT 1", "more": 1}), 422, "more")
    assert_is_problem(posted(json={"query": 1}), 422, "query")
    assert_is_problem(posted(content=b'{"query": "\\ud800"}', headers=as_json), 422)
    assert_is_problem(posted(content=b"SELECT 1"), 422)
    assert_is_problem(posted(content=b"{", headers=as_json), 422, "JSON")
    assert_is_problem(posted(content=b"\xff", headers=as_json), 422)
    assert_is_problem(posted(content=b"[" * 60_000, headers=as_json), 422)
    assert_is_problem(posted(), 422)
    assert_is_problem(posted(content=b"x" * (bounds.MOST_BODY_BYTES + 1)), 413, "no path here takes")
    parts = (b" " * 1024 for _ in range(bounds.MOST_BODY_BYTES // 1024 + 1))
    assert_is_problem(posted(content=parts, headers=as_json), 413)


def test_a_query_reads_so_many_rows_and_no_more(api: Served) -> None:
    with patch.object(answering, "MOST_ROWS", 7):
        refused(
            api, "SELECT 1 FROM bars, taker_flow", 422, "reads 8 rows of bars and taker_flow; it may read 7", "last="
        )
        assert len(asked(api, "SELECT 1 FROM bars")["rows"]) == 4
    assert len(asked(api, "SELECT 1 FROM bars, taker_flow")["rows"]) == 16


def test_queries_that_take_too_much_hold_nobody_up_for_long(tmp_path_factory: pytest.TempPathFactory) -> None:
    market = SmallMarket(tmp_path_factory.mktemp("market"))
    market.trade("10:00:10")
    market.cycle()
    with (
        patch.object(app, "LIMITS", Limits(processor_s=1)),
        patch.object(route, "MOST_WAITING", 1),
        served(market.lake, worker_left=True) as api,
        ThreadPoolExecutor(6) as pool,
    ):
        answers = list(pool.map(lambda _: api.get("/v1/sql", query=ENDLESS), range(6)))
        kinds = [answer.json()["type"].rpartition("/")[2] for answer in answers]
        assert set(kinds) == {"too_much", "too_many_queries"}
        for answer in answers:
            if answer.status_code == 503:
                assert answer.headers["retry-after"] == "1"
        assert asked(api, "SELECT trades FROM bars")["rows"] == [{"trades": 1}]
        assert api.rows()[0]["trades"] == 1
