"""The gate over HTTP: who is let in with which key, as whom, and what others are told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from event_stream import streaming
from eventually import eventually
from keyed import bearing, key_file, keyed
from served import Served, assert_is_problem, served
from small_market import SmallMarket
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from serving.access import gate
from serving.access.policy import Policy
from serving.access.rates import Rates
from serving.push.hub import Timing

BARS, STREAM = "/v1/views/bars", "/v1/views/bars/stream"


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> SmallMarket:
    market = SmallMarket(tmp_path_factory.mktemp("market"))
    market.trade("10:00:10")
    market.cycle()
    return market


@pytest.fixture
def api(market: SmallMarket, tmp_path: Path) -> Iterator[Served]:
    """Serving that needs keys."""
    with served(market.lake, worker_left=True, policy=keyed(tmp_path), timing=Timing(tick_s=0.01)) as api:
        yield api


def key(folder: Path, *scopes: str) -> dict[str, str]:
    """The header of a new key."""
    name = f"key {' '.join(scopes)}"
    return bearing(key_file(folder).create(name, scopes))  # type: ignore[arg-type]  # scopes by name


def test_without_a_key_one_is_asked_for(api: Served) -> None:
    for path in ("/v1/views", BARS, STREAM, "/v1/lanes", "/udf/config", "/api/v3/klines", "/nowhere"):
        refused = api.get(path)
        assert_is_problem(refused, 401, "Authorization: Bearer KEY", "twofold keys create")
        assert refused.json()["type"].endswith("/key_needed")
        assert refused.headers["www-authenticate"] == 'Bearer realm="twofold"'


@pytest.mark.parametrize(
    "value",
    [
        "Bearer",
        "Bearer x",
        "Bearer tf_00000000_" + "A" * 43,
        "bearer " + "x" * 20_000,
        "Bearer \xff\xfe".encode("latin-1"),
        "Bearer tf__",
    ],
)
def test_a_key_that_is_none_is_refused(api: Served, tmp_path: Path, value: str | bytes) -> None:
    key(tmp_path, "read")
    refused = api.client.get(BARS, headers={"Authorization": value})
    assert_is_problem(refused, 401, "cut off, expired or revoked")
    assert refused.headers["www-authenticate"] == 'Bearer realm="twofold", error="invalid_token"'


def test_other_ways_to_authenticate_are_no_key(api: Served, tmp_path: Path) -> None:
    text = key(tmp_path, "read")["Authorization"].split()[1]
    for value in (f"Basic {text}", text, f"Digest {text}"):
        assert api.client.get(BARS, headers={"Authorization": value}).status_code == 401
    assert api.get(BARS, api_key=text).status_code == 401  # an address ends up in logs


def test_a_key_opens_what_its_scopes_say(api: Served, tmp_path: Path) -> None:
    reading, following = key(tmp_path, "read"), key(tmp_path, "stream")
    assert api.client.get(BARS, headers=reading).status_code == 200
    refused = api.client.get(STREAM, headers=reading)
    assert_is_problem(refused, 403, "'key read' may read", "needs 'stream'", "twofold keys create NAME --scope stream")
    challenge = 'Bearer realm="twofold", error="insufficient_scope", scope="stream"'
    assert refused.headers["www-authenticate"] == challenge
    assert api.client.get(BARS, headers=following).status_code == 403
    with api.client.stream("GET", STREAM, headers=following) as response:
        assert response.status_code == 200


def test_what_shows_nobody_s_data_needs_no_key(api: Served) -> None:
    for path in ("/", "/page/main.js", "/docs", "/openapi.json", "/healthz", "/v1/problems/key_needed"):
        assert api.get(path).status_code == 200, path
    assert api.get("/readyz").status_code == 503


def test_a_question_that_was_answered_is_not_answered_without_a_key(api: Served, tmp_path: Path) -> None:
    """What a request asks is remembered, so that its route is not run again."""
    reading = key(tmp_path, "read")
    for _ in range(3):
        assert api.client.get(BARS, headers=reading).status_code == 200
    assert api.client.get(BARS).status_code == 401


def test_a_rotated_key_goes_on_for_its_overlap_and_a_revoked_one_not(api: Served, tmp_path: Path) -> None:
    old = key_file(tmp_path).create("desk", ["read"])
    new = key_file(tmp_path).rotate("desk", timedelta(hours=1))
    for text in (old, new):
        assert api.client.get(BARS, headers=bearing(text)).status_code == 200
    key_file(tmp_path).revoke("desk")
    for text in (old, new):
        assert api.client.get(BARS, headers=bearing(text)).status_code == 401


def test_caches_may_not_give_an_answer_to_others(api: Served, tmp_path: Path) -> None:
    answer = api.client.get(BARS, headers=key(tmp_path, "read"))
    assert "Authorization, Cookie" in answer.headers.get_list("vary")


def test_a_browser_gets_a_cookie_for_its_key_and_reads_with_that(api: Served, tmp_path: Path) -> None:
    both = key(tmp_path, "read", "stream")
    begun = api.client.post("/v1/session", headers=both)
    assert begun.status_code == 204
    cookie = begun.headers["set-cookie"]
    for word in ("HttpOnly", "SameSite=strict", "Max-Age=43200", "Path=/"):
        assert word in cookie
    assert "Secure" not in cookie  # over http a browser would not send it back
    assert both["Authorization"].split("_")[2] not in cookie
    assert api.get(BARS).status_code == 200
    with api.client.stream("GET", STREAM) as response:
        assert response.status_code == 200
    assert api.client.post("/v1/session").status_code == 401  # a cookie does not make another
    assert api.client.get(BARS, headers=bearing("tf_x_y")).status_code == 401
    key_file(tmp_path).revoke("key read stream")
    assert api.get(BARS).status_code == 401
    api.client.delete("/v1/session")
    assert not api.client.cookies


@pytest.mark.parametrize("value", ["", "x", "ImFiYyI.Zrs.sig", '"', "a" * 8_000, "\\"])
def test_a_cookie_that_was_made_up_is_no_session(api: Served, tmp_path: Path, value: str) -> None:
    key(tmp_path, "read")
    assert api.client.get(BARS, headers={"Cookie": f"twofold_session={value}"}).status_code == 401
    assert api.client.get(BARS, headers={"Cookie": value}).status_code == 401


def test_a_session_cannot_be_begun_by_a_key_that_is_none(api: Served) -> None:
    for headers, kind in (({}, "key_needed"), (bearing("tf_0_0"), "key_invalid")):
        refused = api.client.post("/v1/session", headers=headers)
        assert_is_problem(refused, 401)
        assert refused.json()["type"].endswith(kind)
        assert "set-cookie" not in refused.headers


def test_where_no_key_is_needed_a_session_is_nothing(market: SmallMarket) -> None:
    with served(market.lake, worker_left=True) as api:
        begun = api.client.post("/v1/session")
        assert (begun.status_code, begun.headers.get("set-cookie")) == (204, None)
        assert "security" not in json.dumps(api.get("/openapi.json").json()["paths"])


def test_the_description_says_how_a_key_is_sent(api: Served) -> None:
    document = api.get("/openapi.json").json()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert document["paths"][BARS.replace("bars", "{view}")]["get"]["security"] == [{"key": []}, {"session": []}]
    assert "security" not in document["paths"]["/healthz"]["get"]
    for status in ("401", "403", "429"):
        assert status in document["paths"]["/v1/lanes"]["get"]["responses"]


def test_a_stream_ends_with_its_key(
    api: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gate, "LOOK_EVERY_S", 0.05)
    following = key(tmp_path, "stream")
    api.client.headers.update(following)
    url = str(api.client.base_url).replace("http", "ws", 1) + STREAM
    with streaming(api.client, STREAM) as events, connect(url, additional_headers=following) as socket:
        assert next(events).kind == "state"
        assert json.loads(socket.recv(timeout=60))["event"] == "state"
        key_file(tmp_path).revoke("key stream")
        assert list(events) == []  # it is ended, not cut off
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
    assert "without completing" not in caplog.text


def test_a_web_socket_needs_a_key_too(api: Served, tmp_path: Path) -> None:
    url = str(api.client.base_url).replace("http", "ws", 1) + STREAM
    with pytest.raises(InvalidStatus) as refused, connect(url):
        pass
    assert refused.value.response.status_code == 401
    assert json.loads(refused.value.response.body)["type"].endswith("/key_needed")
    with connect(url, additional_headers=key(tmp_path, "stream")) as socket:
        assert json.loads(socket.recv(timeout=60))["event"] == "state"


def test_too_many_requests_are_refused_with_when_to_come_back(market: SmallMarket, tmp_path: Path) -> None:
    policy = keyed(tmp_path, rates=Rates(1, lambda: 7.0))
    with served(market.lake, worker_left=True, policy=policy) as api:
        mine, yours = key(tmp_path, "read"), key(tmp_path, "read", "sql")
        assert [api.client.get(BARS, headers=mine).status_code for _ in range(3)] == [200, 200, 429]
        refused = api.client.get(BARS, headers=mine)
        assert_is_problem(refused, 429, "TWOFOLD_REQUESTS_PER_S")
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["ratelimit"] == '"requests";r=0;t=1'
        assert api.client.get(BARS, headers=yours).status_code == 200
        # Whoever tries keys is one caller, by its address, and is held up before the key is looked at any further.
        tried = [api.client.get(BARS, headers=bearing(f"tf_0_{number}")).status_code for number in range(4)]
        assert tried == [401, 401, 429, 429]
        assert api.get("/healthz").status_code == 200


def test_a_caller_reads_so_many_streams_at_a_time(market: SmallMarket, tmp_path: Path) -> None:
    policy = keyed(tmp_path, most_streams=2)
    with served(market.lake, worker_left=True, policy=policy, timing=Timing(tick_s=0.01)) as api:
        mine, yours = key(tmp_path, "stream"), key(tmp_path, "stream", "read")
        url = str(api.client.base_url).replace("http", "ws", 1) + STREAM
        with api.client.stream("GET", STREAM, headers=mine) as first, connect(url, additional_headers=mine):
            assert first.status_code == 200
            refused = api.client.get(STREAM, headers=mine)
            assert_is_problem(refused, 429, "reads 2 streams already", "TWOFOLD_STREAMS_PER_CALLER")
            assert refused.headers["retry-after"] == "1"
            with api.client.stream("GET", STREAM, headers=yours) as other:
                assert other.status_code == 200
        eventually(lambda: not policy.reading)
        with api.client.stream("GET", STREAM, headers=mine) as again:
            assert again.status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:18080", 200),
        ("LOCALHOST", 200),
        ("[::1]:80", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example:18080", 421),
        ("localhost@evil.example", 421),
        ("[::1", 421),
        ("\xfc", 421),
        ("", 421),
    ],
)
def test_on_this_machine_alone_no_other_name_may_stand_for_it(market: SmallMarket, host: str, status: int) -> None:
    local = Policy(hosts=frozenset({"127.0.0.1", "localhost", "::1"}))
    with served(market.lake, worker_left=True, policy=local) as api:
        response = api.client.get(BARS, headers={"Host": host.encode("latin-1")})
        assert response.status_code == status
        if status == 421:
            assert_is_problem(response, 421, "127.0.0.1 or ::1 or localhost")


def test_pages_of_other_origins_read_nothing(market: SmallMarket) -> None:
    with served(market.lake, worker_left=True) as api:
        answer = api.client.get(BARS, headers={"Origin": "https://evil.example"})
        assert not [name for name in answer.headers if name.startswith("access-control")]
        asked = api.client.options(BARS, headers=preflight("https://evil.example"))
        assert asked.status_code == 405


def preflight(origin: str) -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }


def test_pages_of_an_origin_that_is_allowed_read_with_a_key_of_their_own(market: SmallMarket, tmp_path: Path) -> None:
    friend = "https://charts.example"
    policy = keyed(tmp_path, origins=frozenset({friend}))
    with served(market.lake, worker_left=True, policy=policy, timing=Timing(tick_s=0.01)) as api:
        asked = api.client.options(BARS, headers=preflight(friend))
        assert asked.headers["access-control-allow-origin"] == friend
        assert "Authorization" in asked.headers["access-control-allow-headers"]
        assert "access-control-allow-credentials" not in asked.headers
        refused = api.client.options(BARS, headers=preflight("https://evil.example"))
        assert (refused.status_code, refused.headers.get("access-control-allow-origin")) == (400, None)
        both = key(tmp_path, "read", "stream")
        answer = api.client.get(BARS, headers={**both, "Origin": friend})
        assert answer.headers["access-control-allow-origin"] == friend
        assert "Twofold-Receipt" in answer.headers["access-control-expose-headers"]
        assert api.client.get(BARS, headers={"Origin": friend}).headers["access-control-allow-origin"] == friend
        url = str(api.client.base_url).replace("http", "ws", 1) + STREAM
        with connect(url, additional_headers={**both, "Origin": friend}) as socket:
            assert json.loads(socket.recv(timeout=60))["event"] == "state"
        evil = {**both, "Origin": "https://evil.example"}
        with pytest.raises(InvalidStatus) as strange, connect(url, additional_headers=evil):
            pass
        assert strange.value.response.status_code == 403


def test_a_client_that_was_never_let_in_keeps_nothing_of_a_key(api: Served) -> None:
    with httpx.Client(base_url=api.client.base_url, headers=bearing("tf_secret_secret")) as client:
        refused = client.get(BARS)
    assert "secret" not in refused.text
    assert "secret" not in str(refused.headers)
