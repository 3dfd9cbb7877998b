from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from record_maker import EVENT_US, SOURCES, batch, binance, refusal_among_good, wrapped

from twofold.decoding import Reason, decode

CAPTURE = Path(__file__).parents[2].parent / "shared" / "data" / "binance-spot-trades-20240808-09.txt.gz"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def refused(frame: bytes, good: bytes | None = None) -> tuple[Reason, str]:
    return refusal_among_good(frame, good=binance() if good is None else good, source="binance-spot")


@pytest.mark.parametrize("frame", [binance(), wrapped(binance())])
def test_a_frame_becomes_a_trade(frame: bytes) -> None:
    trade = decode([batch([frame])], SOURCES, "binance-spot").trades.row(0, named=True)
    assert (trade["venue"], trade["symbol"], trade["trade_id"]) == ("binance", "BTCUSDT", 3735683259)
    assert (trade["price"], trade["size"]) == (Decimal("61837.63"), Decimal("0.02"))
    assert trade["event_time"] == EPOCH + timedelta(microseconds=EVENT_US)


def test_the_taker_sold_where_the_buyer_was_the_maker() -> None:
    decoded = decode([batch([binance(m=True), binance(m=False)])], SOURCES, "binance-spot")
    assert decoded.trades["side"].to_list() == ["sell", "buy"]


@pytest.mark.parametrize("first", [b"{", binance(), wrapped(binance())])
def test_bare_and_wrapped_frames_may_be_mixed(first: bytes) -> None:
    values = [first, binance(t=1), wrapped(binance(t=2)), binance(t=3)]
    decoded = decode([batch(values)], SOURCES, "binance-spot")
    assert decoded.trades["trade_id"].to_list()[-3:] == [1, 2, 3]


@pytest.mark.parametrize("neighbour", [b"{", binance(t=1), wrapped(binance(t=2))])
@pytest.mark.parametrize(
    ("frame", "symbol"),
    [
        (binance(s="BARE", data=json.loads(binance(s="INNER"))), "BARE"),
        (json.dumps({"data": json.loads(binance(s="INNER")), "e": "depth"}).encode(), None),
        (wrapped(binance(s="INNER")), "INNER"),
    ],
)
def test_a_frame_means_the_same_whatever_stands_beside_it(frame: bytes, symbol: str | None, neighbour: bytes) -> None:
    for values in ([frame], [neighbour, frame], [frame, neighbour]):
        decoded = decode([batch(values)], SOURCES, "binance-spot")
        place = batch(values).offsets[values.index(frame)]
        found = decoded.trades.filter(offset=place)["symbol"].to_list()
        assert found == ([] if symbol is None else [symbol])


@pytest.mark.parametrize("good", [binance(), wrapped(binance())])
@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (binance(e="aggTrade"), Reason.NOT_A_TRADE),
        (b'{"result":null,"id":1}', Reason.MISSING_FIELD),
        (binance(p=None), Reason.NULL_FIELD),
        (binance(t="5"), Reason.WRONG_TYPE),
        (binance(m=1), Reason.WRONG_TYPE),
        (binance(t=-5), Reason.BAD_TRADE_ID),
        (binance(p="-1"), Reason.NOT_POSITIVE),
        (binance(q="1e5"), Reason.NOT_PLAIN),
        (binance(s="BTC/USDT"), Reason.BAD_SYMBOL),
        (binance(T=0), Reason.IMPLAUSIBLE_TIME),
        (binance(T=EVENT_US), Reason.IMPLAUSIBLE_TIME),
        (binance(T=2**63 - 1), Reason.IMPLAUSIBLE_TIME),
        (binance(T=2**64 // 1000 + EVENT_US // 1000), Reason.IMPLAUSIBLE_TIME),
        (b'{"stream":"btcusdt@trade","data":5}', Reason.NOT_AN_OBJECT),
        (b'{"stream":"btcusdt@trade","data":null}', Reason.NULL_FIELD),
        (b"[]", Reason.NOT_AN_OBJECT),
    ],
)
def test_a_bad_frame_becomes_a_dead_letter(frame: bytes, expected: Reason, good: bytes) -> None:
    reason, _ = refused(frame, good)
    assert reason is expected


def test_a_bad_frame_inside_a_wrapper_becomes_a_dead_letter() -> None:
    reason, detail = refused(wrapped(binance(q=None)))
    assert reason is Reason.NULL_FIELD
    assert "`q`" in detail


def test_an_unquoted_price_that_a_float_keeps_is_read() -> None:
    decoded = decode([batch([wrapped(binance(p=61837.63))])], SOURCES, "binance-spot")
    assert decoded.trades["price"].to_list() == [Decimal("61837.63")]


@pytest.mark.skipif(not CAPTURE.exists(), reason=f"the capture {CAPTURE.name} is not in the shared data folder")
def test_every_frame_of_the_real_capture_is_decoded() -> None:
    lines = [line.split(b" ", 1) for line in gzip.decompress(CAPTURE.read_bytes()).splitlines()]
    headers = [(("source", b"binance-spot"), ("collected_us", b"%d" % (int(time) // 1000))) for time, _ in lines]
    values = [value for _, value in lines]
    decoded = decode([batch(values, headers=headers, logged_ms=1_800_000_000_000)], SOURCES, "plain")
    assert decoded.rejected.is_empty()
    assert decoded.trades.height == 34_419
    expected = []
    for offset, (time, value) in enumerate(lines, start=100):
        frame = json.loads(value)["data"]
        price, size = Decimal(frame["p"]), Decimal(frame["q"])
        event = EPOCH + timedelta(milliseconds=frame["T"])
        arrival = max(event, EPOCH + timedelta(microseconds=int(time) // 1000))
        side = "sell" if frame["m"] else "buy"
        expected.append((offset, frame["s"], frame["t"], price, size, price * size, side, event, arrival))
    columns = ["offset", "symbol", "trade_id", "price", "size", "notional", "side", "event_time", "arrival_time"]
    assert decoded.trades.select(columns).rows() == expected
