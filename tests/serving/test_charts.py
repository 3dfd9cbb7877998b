"""Bars for charts and for programs of others: TradingView's UDF and Binance-shaped klines, over a served app."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from eventually import eventually
from served import Served, served
from small_market import LANES, SmallMarket, time_us

from serving.routes.shaped import FINALITY, TOKEN


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two venues that share a symbol, minutes without trades, and live trades on what is published."""
    market = SmallMarket(tmp_path_factory.mktemp("market"))
    for minute in (0, 1, 2, 10, 11, 40):
        market.trade(f"10:{minute:02}:10", price=f"100.{minute:02}5", size="0.25")
        market.trade(f"10:{minute:02}:40", price="99.5", size="0.5", side="sell")
    market.trade("10:40:50", symbol="ETHUSDT", price="7.25", lane=1)
    _binance(market, "10:40:52", 1)
    market.cycle()
    market.trade("10:40:30.123456", price="102")
    market.trade("10:41:00", price="61837.63000001")
    with market.live_side() as address, served(market.lake, address) as api:
        eventually(api.is_ready)
        yield api


def _binance(market: SmallMarket, clock: str, trade_id: int) -> None:
    at_us = time_us(clock)
    frame = {"e": "trade", "s": "ETHUSDT", "t": trade_id, "p": "8", "q": "1", "T": at_us // 1000, "m": False}
    headers = (("source", b"binance-spot"),)
    market.log.append(LANES[1], json.dumps(frame).encode(), timestamp_ms=at_us // 1000, headers=headers)


def _ms(clock: str) -> int:
    return time_us(clock) // 1000


def _exact(text: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    return told


def _history(api: Served, **asked: str | int) -> httpx.Response:
    response = api.get("/udf/history", **{"symbol": "SIMULATOR:BTCUSDT", "resolution": "1", **asked})
    assert response.status_code == 200
    return response


def _klines(api: Served, **asked: str | int) -> list[list[Any]]:
    response = api.get("/api/v3/klines", **{"symbol": "BTCUSDT", "interval": "1m", **asked})
    assert response.status_code == 200, response.text
    told: list[list[Any]] = response.json()
    return told


def _opened(api: Served, **asked: str | int) -> list[int]:
    return [kline[0] for kline in _klines(api, **asked)]


@pytest.mark.parametrize(
    ("resolution", "interval"), [("1", "1m"), ("5", "5m"), ("60", "1h"), ("1D", "1d"), ("D", "1d")]
)
def test_history_has_the_values_of_the_view_digit_by_digit(api: Served, resolution: str, interval: str) -> None:
    since, to = time_us("00:00:00") // 1_000_000, time_us("23:00:00") // 1_000_000
    told = _exact(_history(api, resolution=resolution, to=to, **{"from": since}).text)
    rows = api.rows(symbol="BTCUSDT", venue="simulator", interval=interval)
    assert told.pop("s") == "ok"
    assert told.pop("t") == [_seconds(row) for row in rows]
    for name, column in {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}.items():
        assert list(map(str, told.pop(name))) == [row[column] for row in rows]
    assert not told


def _seconds(row: dict[str, Any]) -> int:
    return time_us(row["window_start"][11:19]) // 1_000_000


def test_history_has_bars_from_one_time_to_before_another(api: Served) -> None:
    first, beyond = time_us("10:01:00") // 1_000_000, time_us("10:10:00") // 1_000_000
    assert _history(api, to=beyond, **{"from": first}).json()["t"] == [first, first + 60]


def test_countback_goes_before_from(api: Served) -> None:
    to = time_us("10:40:00") // 1_000_000
    told = _history(api, to=to, countback=3, **{"from": to - 60}).json()
    assert told["t"] == [time_us(clock) // 1_000_000 for clock in ("10:02:00", "10:10:00", "10:11:00")]


def test_a_range_without_bars_says_where_there_are_some_before(api: Served) -> None:
    since, to = (time_us(clock) // 1_000_000 for clock in ("10:20:00", "10:30:00"))
    assert _history(api, to=to, **{"from": since}).json() == {
        "s": "no_data",
        "nextTime": time_us("10:11:00") // 1_000_000,
    }
    assert _history(api, to=1000, **{"from": 0}).json() == {"s": "no_data"}
    assert _history(api, to=1000, countback=10).json() == {"s": "no_data"}


def test_a_symbol_has_as_many_decimals_as_its_prices(api: Served) -> None:
    told = api.get("/udf/symbols", symbol="simulator:BTCUSDT").json()
    assert (told["ticker"], told["name"], told["exchange"]) == ("SIMULATOR:BTCUSDT", "BTCUSDT", "SIMULATOR")
    assert (told["pricescale"], told["minmov"], told["volume_precision"]) == (10**8, 1, 2)
    assert told["supported_resolutions"] == api.get("/udf/config").json()["supported_resolutions"]
    assert api.get("/udf/symbols", symbol="SIMULATOR:ETHUSDT").json()["pricescale"] == 100
    assert api.get("/udf/symbols", symbol="BINANCE:ETHUSDT").json()["pricescale"] == 1


def test_markets_are_found_by_a_part_of_their_names(api: Served) -> None:
    def found(**asked: str | int) -> list[str]:
        return [each["full_name"] for each in api.get("/udf/search", **asked).json()]

    assert found(query="eth") == ["BINANCE:ETHUSDT", "SIMULATOR:ETHUSDT"]
    assert found(query="ETH", exchange="BINANCE", type="crypto", limit=5) == ["BINANCE:ETHUSDT"]
    assert found(query="", limit=1) == ["BINANCE:ETHUSDT"]
    assert found(query="ETH", type="stock") == found(query="nothing") == []


def test_the_feed_says_what_it_can_do_and_what_time_it_is(api: Served) -> None:
    config = api.get("/udf/config").json()
    assert [exchange["value"] for exchange in config["exchanges"]] == ["", "BINANCE", "SIMULATOR"]
    assert config["supported_resolutions"][0] == "1"
    assert config["supported_resolutions"][-1] == "1D"
    assert api.get("/udf/time").text.isdigit()


@pytest.mark.parametrize(
    ("path", "asked", "word"),
    [
        ("symbols", {"symbol": "NOWHERE:BTCUSDT"}, "simulator"),
        ("symbols", {"symbol": "SIMULATOR:*"}, "BTCUSDT"),
        ("symbols", {"symbol": "ETHUSDT"}, "binance, simulator"),
        ("symbols", {}, "symbol"),
        ("history", {"symbol": "BTCUSDT", "resolution": "7", "to": 1, "from": 0}, "1, 3, 5"),
        ("history", {"symbol": "BTCUSDT", "resolution": "1", "to": 1}, "countback"),
        ("history", {"symbol": "BTCUSDT", "resolution": "1", "to": 1, "from": 2}, "before"),
        ("history", {"symbol": "BTCUSDT", "resolution": "1", "to": "x", "from": 2}, "to:"),
        ("search", {"query": "B", "color": "red"}, "color"),
    ],
)
def test_the_feed_tells_errors_as_its_protocol_does(
    api: Served, path: str, asked: dict[str, str | int], word: str
) -> None:
    response = api.get(f"/udf/{path}", **asked)
    assert response.status_code == 200
    told = response.json()
    assert (told.keys(), told["s"]) == ({"s", "errmsg"}, "error")
    assert word in told["errmsg"]


@pytest.mark.parametrize("interval", ["1m", "5m", "1h", "1d"])
def test_klines_have_the_values_of_both_views(api: Served, interval: str) -> None:
    about = {"symbol": "BTCUSDT", "interval": interval}
    flow = api.answer("taker_flow", **about)["rows"]
    assert _klines(api, interval=interval) == [
        [
            _seconds(row) * 1000,
            *(row[name] for name in ("open", "high", "low", "close", "volume")),
            _end_ms(row) - 1,
            row["notional"],
            row["trades"],
            taken["buy_volume"],
            taken["buy_notional"],
            "0",
        ]
        for row, taken in zip(api.rows(**about), flow, strict=True)
    ]


def _end_ms(row: dict[str, Any]) -> int:
    return round(datetime.fromisoformat(row["window_end"]).timestamp() * 1000)


def test_klines_from_a_time_on_are_the_first_and_else_the_newest(api: Served) -> None:
    everything = [_ms(f"10:{minute:02}:00") for minute in (0, 1, 2, 10, 11, 40, 41)]
    assert _opened(api) == _opened(api, startTime=0, endTime=_ms("23:00:00")) == everything
    assert _opened(api, limit=2) == everything[-2:]
    assert _opened(api, endTime=_ms("10:11:00"), limit=2) == everything[3:5]
    assert _opened(api, startTime=0, limit=4) == everything[:4]
    assert _opened(api, startTime=_ms("10:01:00"), limit=5) == everything[1:6]
    assert _opened(api, startTime=_ms("10:01:00") + 1, endTime=_ms("10:11:00") - 1) == everything[2:4]
    assert _opened(api, startTime=0, endTime=1) == _opened(api, startTime=_ms("12:00:00")) == []
    assert _opened(api, endTime=1) == []
    assert _opened(api, limit=5000) == everything


def test_a_symbol_of_several_venues_takes_the_venue_along(api: Served) -> None:
    assert [kline[1] for kline in _klines(api, symbol="ETHUSDT", venue="binance")] == ["8.00000000"]
    assert [kline[1] for kline in _klines(api, symbol="ETHUSDT", venue="simulator")] == ["7.25000000"]


@pytest.mark.parametrize(
    ("asked", "code", "word"),
    [
        ({"symbol": "NOTHING", "interval": "1m"}, -1121, "BTCUSDT"),
        ({"symbol": "BTCUSDT", "interval": "1m", "venue": "binance"}, -1121, "ETHUSDT"),
        ({"symbol": "BTCUSDT", "interval": "1m", "venue": "nowhere"}, -1121, "simulator"),
        ({"symbol": "ETHUSDT", "interval": "1m"}, -1102, "binance, simulator"),
        ({"symbol": "BTCUSDT"}, -1102, "interval"),
        ({"symbol": "BTCUSDT", "interval": "1w"}, -1120, "1d"),
        ({"symbol": "BTCUSDT", "interval": "1m", "timeZone": "8"}, -1104, "timeZone"),
        ({"symbol": "BTCUSDT", "interval": "1m", "startTime": 2, "endTime": 1}, -1128, "after"),
        ({"symbol": "BTCUSDT", "interval": "1m", "limit": 0}, -1130, "limit"),
        ({"symbol": "BTCUSDT", "interval": "1m", "startTime": "now"}, -1130, "startTime"),
    ],
)
def test_klines_tell_errors_by_codes(api: Served, asked: dict[str, str | int], code: int, word: str) -> None:
    response = api.get("/api/v3/klines", **asked)
    assert response.status_code == 400
    told = response.json()
    assert (told.keys(), told["code"]) == ({"code", "msg"}, code)
    assert word in told["msg"]


def test_both_say_how_final_their_bars_are_and_have_receipts(api: Served) -> None:
    rows = api.rows(symbol="BTCUSDT")
    counts = Counter(row["finality"] for row in rows)
    shown = ", ".join(f"{name}={counts[name]}" for name in ("provisional", "closed", "revised") if counts[name])
    history = _history(api, to=time_us("23:00:00") // 1_000_000, countback=100)
    klines = api.get("/api/v3/klines", symbol="BTCUSDT", interval="1m")
    assert history.headers[FINALITY] == klines.headers[FINALITY] == shown
    bars, flow = klines.headers[TOKEN].split(", ")
    again = api.get(f"/v1/receipts/{bars}")
    # What is live is made again from an event log, which this test has none of.
    assert again.status_code in {200, 503}, again.text
    assert len({bars, flow, history.headers[TOKEN]}) == 3


def test_tokens_of_klines_make_the_bars_again(tmp_path: Path) -> None:
    market = SmallMarket(tmp_path)
    market.trade("10:00:10")
    market.trade("10:01:10")
    market.cycle()
    with market.live_side() as address, served(market.lake, address) as api:
        eventually(api.is_ready)
        klines = api.get("/api/v3/klines", symbol="BTCUSDT", interval="1m", startTime=0)
        for token, view in zip(klines.headers[TOKEN].split(", "), ("bars", "taker_flow"), strict=True):
            again = api.get(f"/v1/receipts/{token}")
            assert again.json()["rows"] == api.answer(view, symbol="BTCUSDT")["rows"]


def test_without_an_answer_both_say_so_in_their_own_way(tmp_path: Path) -> None:
    with served(SmallMarket(tmp_path).lake) as api:
        eventually(lambda: "speed worker" in api.get("/udf/config").text)
        assert api.get("/udf/config").json()["s"] == "error"
        response = api.get("/api/v3/klines", symbol="BTCUSDT", interval="1m")
        assert (response.status_code, response.json()["code"]) == (503, -1001)
