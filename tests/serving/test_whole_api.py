"""The whole OpenAPI document against the running API: nothing is answered that it does not describe.

`make fuzz-api CASES=5000` tries as many, each time others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from eventually import eventually
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from served import NOBODY, Served, served
from small_market import DAY, SmallMarket, time_us
from vouched import vouching

from serving.app import make_app
from serving.seam import Seam
from serving.speed_side import SpeedClient
from twofold.lake import Lake
from twofold.views import VIEWS

CASES = int(os.environ.get("FUZZ_CASES") or 90)
TAKING_PARAMETERS = 8
"""Routes over which cases are spread; the others have but a few."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]

# What a question may be about, put in place of most of what is made up, so that many questions have answers.
SENSIBLE: dict[str, list[str]] = {
    "view": ["bars", "taker_flow", "bars"],
    "venue": ["simulator", "*", "sim*"],
    "symbol": ["BTCUSDT", "*USDT", "ETHUSDT,BTCUSDT", "A-_.B"],
    "interval": ["1m", "5m", "1h", "999999d"],
    "start": [f"{DAY}T10:00:00Z", "0", "0001-01-01T00:00:00Z"],
    "end": [f"{DAY}T10:05:00Z", "9999-12-31T23:59:59Z"],
    "as_of": [f"{DAY}T10:05:01Z", "0", f"{DAY}T23:00:00Z"],
    "known_after": ["2s", "0s", "999999d"],
    "columns": ["close,volume", "window_start", "revisions,window_end"],
    "name": ["bad_question"],
    "resolution": ["1", "5", "1D", "D"],
    "from": ["0", str(time_us("10:00:00") // 1_000_000)],
    "to": [str(time_us("10:05:00") // 1_000_000), str(time_us("23:00:00") // 1_000_000)],
    "startTime": ["0", str(time_us("10:05:00") // 1000)],
    "endTime": [str(time_us("10:05:00") // 1000), str(time_us("23:00:00") // 1000)],
    "query": ["BTC", "sim"],
    "exchange": ["", "SIMULATOR"],
    "type": ["", "crypto"],
}
SQL = [
    "SELECT * FROM bars",
    "SELECT symbol, sum(volume) AS volume, avg(close) AS mean FROM bars GROUP BY symbol",
    "SELECT b.close, f.imbalance FROM bars b JOIN taker_flow f USING (venue, symbol, window_start)",
    "SELECT 1 AS a, 'x' AS b, NULL AS c, DATE '2024-08-09' AS d, 'nan'::DOUBLE AS e",
]
ALONE = {"cursor": None, "layout": "format"}
"""Parameters that make no sense by themselves, or together with another."""


def sensible(given: dict[str, Any] | None) -> dict[str, Any] | None:
    """Most questions with sensible values, chosen by what they are, so that a case can be repeated."""
    choice = sum(repr(sorted((given or {}).items(), key=repr)).encode("utf-8", "replace"))
    if not given or choice % 4 == 0:
        return given
    known = SENSIBLE.keys() & given.keys()
    for place, name in enumerate(sorted(known)):
        given[name] = SENSIBLE[name][(choice + place) // 4 % len(SENSIBLE[name])]
    return {name: value for name, value in given.items() if name not in ALONE or ALONE[name] not in {None, *given}}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A market with a publication, a gap, a dead letter, and a live trade on top."""
    market = SmallMarket(tmp_path_factory.mktemp("market"))
    for clock in ("10:00:10", "10:05:00", "10:05:01"):
        market.trade(clock)
    market.trade("10:05:02", symbol="ETHUSDT", price="7.25", lane=1)
    market.trade("10:05:03", symbol="A-_.B", trade_id=1)
    market.trade("10:05:03", symbol="A-_.B", trade_id=3)
    market.poison(lane=1)
    market.cycle()
    market.trade("10:05:30.123456", price="102")
    receipts = vouching(market.lake, market.log.open_reader)
    with market.live_side() as address, served(market.lake, address, receipts) as api:
        eventually(api.is_ready)
        api.get("/v1/sql", query="SELECT 1")  # whose process starts with the first query
        yield api


UNUSED = Lake("unused")
whole_api = schemathesis.openapi.from_dict(
    make_app(Seam(UNUSED, SpeedClient(NOBODY), VIEWS), vouching(UNUSED)).openapi()
)


@whole_api.hook("map_query")
def map_query(context: Any, query: dict[str, Any] | None) -> dict[str, Any] | None:  # noqa: ANN401  # of schemathesis
    asked = sensible(query)
    if asked and context.operation.path == "/v1/sql" and asked.get("query") in SENSIBLE["query"]:
        asked["query"] = SQL[len(repr(asked)) % len(SQL)]
    return asked


@whole_api.hook("map_body")
def map_body(_: object, body: Any) -> Any:  # noqa: ANN401  # whatever is made up
    choice = len(repr(body))
    return {"query": SQL[choice % len(SQL)]} if isinstance(body, dict) and choice % 3 else body


@whole_api.hook("map_path_parameters")
def map_path_parameters(_: object, path: dict[str, Any] | None) -> dict[str, Any] | None:
    return sensible(path)


@whole_api.exclude(path="/v1/views/{view}/stream").parametrize()  # whose answers do not end
@settings(
    max_examples=-(-CASES // TAKING_PARAMETERS),
    deadline=None,
    derandomize=not os.environ.get("FUZZ_CASES"),
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
def test_whatever_is_asked_the_answer_is_one_that_is_described(case: schemathesis.Case, api: Served) -> None:
    case.call_and_validate(base_url=str(api.client.base_url), checks=CHECKS)
