"""The HTTP API over one small market: answers as they go over the wire, and refusals that say what to do."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from eventually import eventually
from served import Served, assert_is_problem, served
from small_market import DAY, LANES, SmallMarket

from serving.receipts.token import read_unverified
from twofold.decoding import DECODER_HASH
from twofold.source import SHIPPED_SOURCES, sources_hash
from twofold.views import VIEWS


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A market with a publication of four trades and a dead letter, and one live trade on top."""
    market = SmallMarket(tmp_path_factory.mktemp("market"))
    for clock in ("10:00:10", "10:05:00", "10:05:01"):
        market.trade(clock)
    market.trade("10:05:02", symbol="ETHUSDT", price="7.25", lane=1)
    market.poison(lane=1)
    market.cycle()
    market.trade("10:05:30.123456", price="102")
    with market.live_side() as address, served(market.lake, address) as api:
        eventually(api.is_ready)
        yield api


def test_an_answer_has_rows_receipt_and_freshness(api: Served) -> None:
    answer = api.bars(symbol="BTCUSDT", interval="5m", start=f"{DAY}T10:05:00Z")
    age_ms = answer["freshness"].pop("age_ms")
    assert isinstance(age_ms, int)
    assert 0 <= age_ms < 60_000
    held = read_unverified(answer["receipt"].pop("token"))
    assert (held.made.positions, held.asked.query) == (answer["receipt"]["positions"], answer["receipt"]["query"])
    assert answer == {
        "view": "bars",
        "rows": [
            {
                "venue": "simulator",
                "symbol": "BTCUSDT",
                "window_start": f"{DAY}T10:05:00Z",
                "window_end": f"{DAY}T10:10:00Z",
                "open": "100.00000000",
                "high": "102.00000000",
                "low": "100.00000000",
                "close": "102.00000000",
                "volume": "3.00000000",
                "notional": "302.0000000000000000",
                "trades": 3,
                "vwap": "100.66666667",
                "finality": "provisional",
                "revisions": 0,
            }
        ],
        "receipt": {
            "view_hash": VIEWS["bars"].hash,
            "decoder_hash": DECODER_HASH[:16],
            "sources_hash": sources_hash(SHIPPED_SOURCES, "simulator"),
            "sequence": 1,
            "cut": {LANES[0]: 3, LANES[1]: 2},
            "positions": {LANES[0]: 4, LANES[1]: 2},
            "lost": [],
            "query": {
                "view": "bars",
                "interval_us": 300_000_000,
                "symbol": "BTCUSDT",
                "start_us": 1_723_197_900_000_000,
                "base": "live",
            },
        },
        "freshness": {"newest_event": f"{DAY}T10:05:30.123456Z", "lag_records": 0, "speed": "live", "held": None},
    }


def test_rows_of_closed_windows_say_so(api: Served) -> None:
    finality = {(row["symbol"], row["window_start"]): row["finality"] for row in api.rows()}
    assert finality == {
        ("BTCUSDT", f"{DAY}T10:00:00Z"): "closed",
        ("BTCUSDT", f"{DAY}T10:05:00Z"): "provisional",
        ("ETHUSDT", f"{DAY}T10:05:00Z"): "provisional",
    }


def test_the_published_side_can_be_asked_for_by_itself(api: Served) -> None:
    answer = api.bars(base="published")
    assert answer["receipt"]["positions"] == answer["receipt"]["cut"]
    assert answer["freshness"]["speed"] == "unused"
    assert [row["trades"] for row in answer["rows"]] == [1, 2, 1]


def test_times_in_a_question_may_have_an_offset(api: Served) -> None:
    assert api.rows(start=f"{DAY}T12:05:00+02:00") == api.rows(start=f"{DAY}T10:05:00Z") != []


def test_the_views_are_listed_with_their_columns(api: Served) -> None:
    views = {view["view"]: view for view in api.get("/v1/views").json()}
    assert views.keys() == VIEWS.keys()
    bars = views["bars"]
    assert (bars["hash"], bars["grain_us"], bars["keys"]) == (VIEWS["bars"].hash, 60_000_000, ["venue", "symbol"])
    assert [column["name"] for column in bars["columns"]] == list(api.rows()[0])
    assert all(column["meaning"] for view in views.values() for column in view["columns"])


def test_the_lanes_are_listed_with_what_became_of_every_record(api: Served) -> None:
    answer = api.get("/v1/lanes").json()
    published_at = datetime.fromisoformat(answer.pop("published_at"))
    assert timedelta(0) < datetime.now(UTC) - published_at < timedelta(hours=1)
    assert answer == {
        "lanes": [
            {
                "lane": LANES[0],
                "position": 4,
                "read": 4,
                "folded": 4,
                "duplicates": 0,
                "dead_letters": 0,
                "lost": 0,
                "excluded": 0,
                "balanced": True,
                "closed": False,
                "stalled": False,
            },
            {
                "lane": LANES[1],
                "position": 2,
                "read": 2,
                "folded": 1,
                "duplicates": 0,
                "dead_letters": 1,
                "lost": 0,
                "excluded": 0,
                "balanced": True,
                "closed": False,
                "stalled": False,
            },
        ],
        "sequence": 1,
        "speed": "live",
    }


def test_health_and_readiness(api: Served) -> None:
    assert api.get("/healthz").json() == {"status": "alive"}
    assert api.get("/readyz").json() == {"status": "ready", "sequence": 1}


def test_the_api_describes_itself(api: Served) -> None:
    paths = api.get("/openapi.json").json()["paths"]
    receipts = {"/v1/receipts/{token}", "/v1/verification"}
    views = {"/v1/views", "/v1/views/{view}", "/v1/views/{view}/stream"}
    problems = {"/v1/problems", "/v1/problems/{name}"}
    figures = {"/v1/gaps", "/v1/lanes", "/v1/publications", "/v1/quality", "/healthz", "/readyz", "/metrics"}
    charts = {"/api/v3/klines", *(f"/udf/{name}" for name in ("config", "time", "symbols", "search", "history"))}
    assert paths.keys() == views | problems | receipts | charts | figures | {"/v1/session", "/v1/sql"}
    parameters = {parameter["name"] for parameter in paths["/v1/views/{view}"]["get"]["parameters"]}
    rows = {"venue", "symbol", "interval", "start", "end", "last", "finality", "base", "as_of", "known_after"}
    assert parameters == {"view", "columns", "limit", "cursor", "format", "layout"} | rows
    assert api.get("/docs").is_success


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("interval=0m", ("interval='0m'", "grain of view 'bars', which is 1m")),
        ("interval=90s", ("no multiple", "1m, 5m, 1h, 1d")),
        ("interval=1000000m", ("at most six digits",)),
        ("interval=", ("interval=''",)),
        ("start=nan", ("start='nan' is no time", "RFC 3339")),
        ("start=", ("start='' is no time",)),
        ("end=99999-01-01T00:00:00Z", ("end='99999-01-01T00:00:00Z' is no time",)),
        ("start=2024-08-09", ("no time zone", "2024-08-09T00:00:00Z")),
        ("start=2024-08-09T10:00:00+02:00", ("'+' must be written %2B",)),
        ("start=2024-08-09T10:00:00Z&end=2024-08-09T10:00:00Z", ("is not before", "exclusive")),
        ("last=0", ("last=0 is not between 1 and",)),
        ("last=-1", ("last=-1 is not between 1 and",)),
        ("last=99999999999999999999", ("is not between 1 and",)),
        ("last=" + "9" * 5000, ("last", "integer")),
        ("last=ten", ("last", "integer", "'ten'", "/docs")),
        ("last=1.5", ("last", "integer")),
        ("last=", ("last", "integer")),
        ("base=both", ("base", "'live' or 'published'")),
        ("symbol=BTCUSDT&symbol=ETHUSDT", ("'symbol' stands there 2 times",)),
        ("Limit=3", ("no parameter 'Limit'", "venue, symbol, interval, start, end, last, columns")),
        ("Symbol=BTCUSDT", ("no parameter 'Symbol'",)),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_with_what_would(
    api: Served, query: str, words: tuple[str, ...]
) -> None:
    assert_is_problem(api.client.get(f"/v1/views/bars?{query}"), 422, *words)


@pytest.mark.parametrize("path", ["/v1/views", "/v1/lanes", "/healthz", "/readyz", "/metrics"])
def test_a_parameter_where_none_is_taken_is_refused(api: Served, path: str) -> None:
    assert_is_problem(api.get(path, symbol="BTCUSDT"), 422, "no parameter 'symbol'", "it takes none")


@pytest.mark.parametrize("symbol", ["..", "", "btcusdt", "BTCUSDT ", "A/B", "\0", "\N{GRINNING FACE}", "x" * 20_000])
def test_an_unknown_symbol_is_not_found_and_the_known_ones_are_named(api: Served, symbol: str) -> None:
    assert_is_problem(api.get("/v1/views/bars", symbol=symbol), 404, "no symbol", "Known: BTCUSDT, ETHUSDT")


def test_a_symbol_that_is_no_text_is_not_found(api: Served) -> None:
    assert_is_problem(api.client.get("/v1/views/bars?symbol=%FF%ED%A0%80"), 404, "no symbol")


def test_an_unknown_venue_is_not_found_and_the_known_ones_are_named(api: Served) -> None:
    assert_is_problem(api.get("/v1/views/bars", venue="binance"), 404, "no venue 'binance'", "Known: simulator")


@pytest.mark.parametrize("view", ["bar", "..%2e", "%2E%2E", "BARS", "x" * 5000])
def test_an_unknown_view_is_not_found_and_the_known_ones_are_named(api: Served, view: str) -> None:
    assert_is_problem(api.client.get(f"/v1/views/{view}"), 404, "no view", "Known: bars, taker_flow")


@pytest.mark.parametrize("path", ["/v1", "/v1/views/bars/rows", "/v2/views", "/v1/views/bars%2F.."])
def test_a_path_that_leads_nowhere_is_not_found(api: Served, path: str) -> None:
    assert_is_problem(api.client.get(path), 404, "/docs")


def test_another_method_is_refused_with_the_one_that_is_allowed(api: Served) -> None:
    response = api.client.post("/v1/views/bars")
    assert_is_problem(response, 405, "POST")
    assert response.headers["allow"] == "GET"


def test_whole_history_in_one_window_is_a_fair_question(api: Served) -> None:
    (row,) = api.rows(interval="999999d", symbol="BTCUSDT")
    assert (row["window_start"], row["trades"]) == ("1970-01-01T00:00:00Z", 4)


def test_times_at_the_ends_of_the_calendar_are_fair_questions(api: Served) -> None:
    assert api.rows(start="9999-12-31T23:59:59.999999Z", interval="999999d") == []
    assert api.rows(end="0001-01-01T00:00:00Z") == []
    assert api.rows(start="-62135596800000", end="253402300799999") == api.rows()


def test_lanes_without_records_are_listed_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    market = SmallMarket(tmp_path_factory.mktemp("market"))
    market.trade("10:00:00", lane=1)
    market.cycle()
    with served(market.lake, worker_left=True) as api:
        api.wait_for("away")
        lanes = api.get("/v1/lanes").json()["lanes"]
    assert [(lane["lane"], lane["position"], lane["read"]) for lane in lanes] == [(LANES[0], 0, 0), (LANES[1], 1, 1)]
