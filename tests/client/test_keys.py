"""The clients and a key: given, or by the settings; refusals by their kind, and no key in what they say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from keyed import key_file, keyed
from pydantic import SecretStr
from served import Served, served
from small_market import SmallMarket

import twofold
from serving.access.rates import Rates
from serving.push.hub import Timing
from twofold.errors import AccessDenied, SettingsError, TooManyRequests
from twofold.serving_client import ask


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Served]:
    market = SmallMarket(tmp_path)
    market.trade("10:00:10")
    market.cycle()
    policy = keyed(tmp_path, rates=Rates(10, lambda: 7.0))
    with served(market.lake, worker_left=True, policy=policy, timing=Timing(tick_s=0.01)) as api:
        yield api


@pytest.fixture
def key(tmp_path: Path) -> str:
    return key_file(tmp_path).create("reader", ["read"])


def address(api: Served) -> str:
    return f"127.0.0.1:{api.client.base_url.port}"


def test_a_key_is_sent_and_one_that_is_missing_wrong_or_not_enough_is_told(api: Served, key: str) -> None:
    with twofold.Client(address(api), api_key=key) as client:
        assert client.view("bars").frame.height == 1
        with pytest.raises(AccessDenied, match="needs 'stream'"):
            next(client.stream("bars"))
    with twofold.Client(address(api)) as client, pytest.raises(AccessDenied, match="needs a key"):
        client.view("bars")
    with twofold.Client(address(api), api_key="tf_0_0") as client, pytest.raises(AccessDenied, match="revoked"):
        client.view("bars")


def test_the_key_may_come_from_the_settings(api: Served, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWOFOLD_API_KEY", key)
    with twofold.Client(address(api)) as client:
        assert client.view("bars").frame.height == 1

    async def rows() -> int:
        async with twofold.AsyncClient(address(api)) as client:
            return (await client.view("bars")).frame.height

    assert asyncio.run(rows()) == 1


def test_a_caller_that_asks_too_often_is_told_so(api: Served, key: str) -> None:
    with twofold.Client(address(api), api_key=key) as client:
        for _ in range(20):
            client.view("bars", last=1)
        with pytest.raises(TooManyRequests, match="TWOFOLD_REQUESTS_PER_S"):
            client.view("bars", last=1)


def test_plain_questions_send_a_key_too(api: Served, key: str) -> None:
    assert len(ask(address(api), "bars", {}, api_key=SecretStr(key))["rows"]) == 1
    with pytest.raises(AccessDenied, match="TWOFOLD_API_KEY"):
        ask(address(api), "bars", {})


@pytest.mark.parametrize("key", ["tf_1_secret\n", "tf_1_secret x", "tf_1_s\xe9cret", "a\r\nX: secret"])
def test_what_can_be_no_key_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(SettingsError, match="The API key has letters that none has") as refused:
        twofold.Client("127.0.0.1:1", api_key=key)
    assert "secret" not in str(refused.value)


def test_no_client_shows_its_key(key: str) -> None:
    with twofold.Client("127.0.0.1:1", api_key=key) as client:
        assert key not in repr(vars(client)) + repr(client._http.headers)
