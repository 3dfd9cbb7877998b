"""What an attacker tries: each is answered by a problem that the API describes, and never by a failure."""

from __future__ import annotations

import base64
import json
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from eventually import eventually
from long_market import LongMarket
from served import Served, assert_is_problem, served
from vouched import vouching

TRAVERSALS = [
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "....//....//etc/passwd",
    "..\\..\\windows\\win.ini",
    "/etc/passwd",
    "file:///etc/passwd",
    "symbol=BTCUSDT/../../_delta_log",
    "BTCUSDT\x00.parquet",
    "~root",
    "C:\\",
]
ESCAPES = [
    "' OR '1'='1",
    "BTCUSDT'; DROP TABLE trades; --",
    'BTCUSDT" UNION SELECT * FROM publications --',
    "BTCUSDT\\'",
    "1); COPY trades TO '/tmp/x'; --",
    "${jndi:ldap://127.0.0.1/x}",
    "{{7*7}}",
    "__import__('os').system('id')",
    "<script>alert(1)</script>",
    "BTCUSDT%0d%0aSet-Cookie: a=b",
    "(a+)+$",
    "*" * 500 + "x",
    "\N{RIGHT-TO-LEFT OVERRIDE}TDSUCTB",
]
PARAMETERS = ["symbol", "venue", "columns", "interval", "start", "cursor", "finality", "format"]
PATHS = ["/v1/views/{}", "/v1/views/{}/stream", "/v1/receipts/{}", "/v1/problems/{}", "/page/{}"]
DECADE = "start=2014-08-10T00:00:00Z&end=2024-08-10T00:00:00Z&interval=1m"
DAYS = 3_650
CLEAR = Path("/proc/self/clear_refs")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Ten years with a trade each day."""
    market = LongMarket(tmp_path_factory.mktemp("market"))
    market.history(["100.5"] * DAYS)
    market.next_day()
    market.cycle()
    receipts = vouching(market.lake, market.log.open_reader)
    with market.live_side() as address, served(market.lake, address, receipts) as api:
        eventually(api.is_ready)
        yield api


@pytest.fixture(scope="module")
def described(api: Served) -> dict[str, set[int]]:
    """The statuses that each path is described to answer with."""
    paths = api.get("/openapi.json").json()["paths"]
    return {path: {int(status) for status in each["get"]["responses"]} for path, each in paths.items() if "get" in each}


def asked(api: Served, path: str) -> httpx.Response:
    """The answer to an address as it stands, which no client has put in order."""
    url = httpx.URL(api.client.base_url).copy_with(raw_path=path.encode())
    return api.client.send(api.client.build_request("GET", url))


@pytest.mark.parametrize("text", TRAVERSALS + ESCAPES)
@pytest.mark.parametrize("parameter", PARAMETERS)
def test_no_parameter_reaches_anything_but_a_comparison(
    api: Served, described: dict[str, set[int]], parameter: str, text: str
) -> None:
    refused = api.get("/v1/views/bars", **{parameter: text})
    assert refused.status_code in described["/v1/views/{view}"]
    assert refused.status_code in {404, 406, 410, 422}
    assert_is_problem(refused, refused.status_code)
    assert "root:x:" not in refused.text
    assert "set-cookie" not in refused.headers


@pytest.mark.parametrize("text", TRAVERSALS + ESCAPES)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("safe", ["", "/\\:%"])
def test_no_path_leads_elsewhere(api: Served, path: str, text: str, safe: str) -> None:
    refused = asked(api, path.format(quote(text, safe=safe)))
    assert refused.status_code in {400, 404, 405, 422}, refused.text
    assert_is_problem(refused, refused.status_code)
    assert "root:x:" not in refused.text


@pytest.mark.parametrize("text", ESCAPES + TRAVERSALS)
def test_charts_ask_no_more_of_a_symbol(api: Served, text: str) -> None:
    udf = api.get("/udf/history", symbol=text, resolution="1", to=1_723_197_900, countback=3)
    assert (udf.status_code, udf.json()["s"]) == (200, "error")
    klines = api.get("/api/v3/klines", symbol=text, interval="1m")
    assert (klines.status_code, klines.json()["code"]) == (400, -1121)
    assert api.get("/udf/search", query=text).json() == []


@pytest.fixture(scope="module")
def token(api: Served) -> str:
    text: str = api.bars(symbol="BTCUSDT", last=3)["receipt"]["token"]
    return text


def test_a_receipt_that_was_altered_is_none_whatever_was_altered(api: Served, token: str) -> None:
    for place in range(0, len(token), 7):
        other = "A" if token[place] != "A" else "B"
        altered = api.get(f"/v1/receipts/{token[:place]}{other}{token[place + 1 :]}")
        assert altered.status_code in {400, 404}, place  # a path that was altered into two is none
        assert_is_problem(altered, altered.status_code)


def test_a_receipt_that_was_forged_is_none(api: Served, token: str) -> None:
    made, question, signature = token.rsplit(".", 2)
    greedy = base64.urlsafe_b64encode(json.dumps({"query": {"symbol": "../.."}}).encode()).decode().rstrip("=")
    for forged in (
        f"{made}.{greedy}.{signature}",
        f"{made}.{question}.",
        f"{made}.{question}",
        f"{made}..{signature}",
        f".{question}.{signature}",
        f"{question}.{made}.{signature}",
        token + "A",
        token * 2,
        "." * 1000,
        "eyJhbGciOiJub25lIn0.e30.",
        "%00",
        "1z" + "A" * 10_000 + ".AAAA.AAAA",
    ):
        assert_is_problem(api.get(f"/v1/receipts/{forged}"), 400)
    assert api.get(f"/v1/receipts/{token}").status_code == 200


@contextmanager
def taking_at_most(most_bytes: int) -> Iterator[None]:
    """See that this process, in which serving runs, never has so much more memory than it has now."""
    # Not by tracemalloc, whose end is no safe moment for threads of libraries before Python 3.12.9 (CPython 128679).
    if CLEAR.exists():  # Linux; elsewhere the peak is that of the whole process, and only what exceeds it is seen
        CLEAR.write_text("5")
    before_bytes = resident_peak_bytes()
    yield
    assert resident_peak_bytes() - before_bytes < most_bytes


def resident_peak_bytes() -> int:
    """The most memory that this process had since that was cleared last (Linux, proc_pid_clear_refs(5)), or ever."""
    if CLEAR.exists():
        told = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
        assert told is not None
        return int(told[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_a_receipt_that_unpacks_to_very_much_is_not_unpacked(api: Served) -> None:
    import zlib  # noqa: PLC0415

    bomb = base64.urlsafe_b64encode(zlib.compress(bytes(200 * 1024**2), 9)).decode().rstrip("=")
    with taking_at_most(50 * 1024**2):
        refused = api.get(f"/v1/receipts/1z{bomb[:30_000]}.e30.AAAA")
    assert refused.status_code in {400, 414}


def test_an_event_id_that_was_made_up_begins_the_stream_anew(api: Served, token: str) -> None:
    for made_up in (token[:-4] + "AAAA", "../..", "x" * 20_000, "' OR 1=1"):
        with api.client.stream("GET", "/v1/views/bars/stream", headers={"Last-Event-ID": made_up}) as response:
            assert response.status_code == 200
            assert '"because":"unknown_id"' in next(text for text in response.iter_text() if "event:" in text)


def test_ten_years_by_the_minute_are_a_question_whose_cost_follows_the_rows_that_there_are(api: Served) -> None:
    answer = api.client.get(f"/v1/views/bars?symbol=BTCUSDT&{DECADE}")
    assert answer.status_code == 200
    assert len(answer.json()["rows"]) == DAYS
    for more in ("&limit=10", "&finality=closed", "&format=parquet", "&as_of=2024-08-10T00:00:00Z", "&known_after=2s"):
        assert api.client.get(f"/v1/views/bars?symbol=*&{DECADE}{more}").status_code == 200
    again = api.get(f"/v1/receipts/{answer.json()['receipt']['token']}")
    assert again.json()["rows"] == answer.json()["rows"]


@pytest.mark.parametrize(
    "question",
    [
        "start=0001-01-01T00:00:00Z&end=9999-12-31T23:59:59Z&interval=1m",
        "start=-99999999999999999999&end=99999999999999999999",
        "last=100000&interval=999999d",
        "last=100001",
        "limit=99999999999",
        "known_after=999999d",
        f"symbol={','.join(f'S{number}' for number in range(2_000))}",
        f"symbol={'*' * 3_000}",
        f"columns={','.join(['close'] * 2_000)}",
        "cursor=" + "a." * 4_000,
        "as_of=9999-12-31T23:59:59Z",
    ],
)
def test_what_asks_for_very_much_is_answered_or_refused_and_takes_little(
    api: Served, described: dict[str, set[int]], question: str
) -> None:
    with taking_at_most(100 * 1024**2):
        response = api.client.get(f"/v1/views/bars?{question}")
    assert response.status_code in described["/v1/views/{view}"] - {500, 503}, response.text


def test_klines_and_charts_of_ten_years_are_bounded(api: Served) -> None:
    klines = api.get("/api/v3/klines", symbol="BTCUSDT", interval="1m", startTime=0, limit=10**9)
    assert (klines.status_code, len(klines.json())) == (200, 1000)
    history = api.client.get("/udf/history?symbol=BTCUSDT&resolution=1&from=0&to=1723291200")
    assert (history.status_code, history.json()["s"]) == (200, "ok")
    assert api.client.get("/udf/history?symbol=BTCUSDT&resolution=1&to=1&countback=100001").json()["s"] == "error"
