"""The Python client over the API as it runs: frames with their types, streams that go on, and errors by their kind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from eventually import eventually
from served import Served, served
from small_market import DAY, SmallMarket
from vouched import vouching

import twofold
from serving.push.hub import Timing
from twofold.client.update import Update
from twofold.errors import QueryError, ReceiptInvalid, ServingUnavailable, SqlRefused, UnknownName
from twofold.port import free_port

QUICK = Timing(tick_s=0.01)


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    """A market with a publication of two closed bars and one that is open."""
    market = SmallMarket(tmp_path)
    for clock in ("10:00:10", "10:01:00", "10:05:00", "10:05:01", "10:05:02"):
        market.trade(clock)
    market.cycle()
    return market


@pytest.fixture
def speed(market: SmallMarket) -> Iterator[str]:
    """Where a speed worker listens."""
    with market.live_side() as address:
        yield address


@pytest.fixture
def api(market: SmallMarket, speed: str) -> Iterator[Served]:
    """Serving over that market."""
    with served(market.lake, speed, vouching(market.lake, market.log.open_reader), timing=QUICK) as api:
        eventually(api.is_ready)
        yield api


@pytest.fixture
def client(api: Served) -> Iterator[twofold.Client]:
    """A client of it."""
    with twofold.Client(str(api.client.base_url)) as client:
        yield client


def test_an_answer_is_a_frame_with_receipt_and_freshness(client: twofold.Client) -> None:
    bars = client.view("bars", symbol="BTCUSDT", last=2)
    assert bars.frame.schema["close"] == pl.Decimal(18, 8)
    assert bars.frame.schema["window_start"] == pl.Datetime("us", "UTC")
    assert bars.frame["window_start"].to_list() == [datetime(2024, 8, 9, 10, minute, tzinfo=UTC) for minute in (1, 5)]
    assert bars.frame["close"].to_list() == [Decimal("100.00000000")] * 2
    assert bars.frame["finality"].to_list() == ["closed", "provisional"]
    assert (bars.receipt["sequence"], bars.freshness["speed"]) == (1, "live")
    assert client.again(bars.receipt["token"])["receipt"] == bars.receipt


def test_a_question_may_name_several_and_have_times_as_python_has_them(client: twofold.Client) -> None:
    start = datetime.fromisoformat(f"{DAY}T12:01:00+02:00")
    bars = client.view("bars", symbol=["BTCUSDT", "BTC*"], start=start, columns=["close"], finality=["closed"])
    assert bars.frame.columns == ["venue", "symbol", "window_start", "close", "finality"]
    assert bars.frame.height == 1


def test_refusals_are_errors_of_their_kind(client: twofold.Client) -> None:
    with pytest.raises(UnknownName, match=r"There is no view 'bar'\. Did you mean 'bars'"):
        client.view("bar")
    with pytest.raises(UnknownName, match=r"no symbol 'NONE'.*Known: BTCUSDT"):
        client.view("bars", symbol="NONE")
    with pytest.raises(QueryError, match="no multiple of the grain"):
        client.view("bars", interval="90s")
    with pytest.raises(ReceiptInvalid):
        client.again("none")
    with pytest.raises(UnknownName, match="no symbol 'NONE'"):
        next(client.stream("bars", symbol="NONE"))
    with pytest.raises(QueryError, match="last=0"):
        next(client.stream("bars", last=0))


def test_that_nobody_answers_is_said_with_what_to_do() -> None:
    address = f"127.0.0.1:{free_port()}"
    with twofold.Client(address) as client:
        with pytest.raises(ServingUnavailable, match=f"{address}.*twofold serve"):
            client.view("bars")
        with pytest.raises(ServingUnavailable):
            next(client.stream("bars", patience_s=0))


def test_a_stream_gives_frames_of_the_types_of_an_answer(client: twofold.Client, market: SmallMarket) -> None:
    stream = client.stream("bars", symbol="BTCUSDT", last=2)
    state = next(stream)
    answer = client.view("bars", symbol="BTCUSDT", last=2)
    assert (state.kind, state.because) == ("state", "begin")
    assert state.frame.equals(answer.frame)
    assert state.receipt == answer.receipt
    market.trade("10:01:30", price="101")
    change = next(stream)
    assert (change.kind, change.because, change.frame.schema) == ("change", None, answer.frame.schema)
    assert change.was["close"].to_list() == [Decimal("100.00000000")]
    assert change.frame["close"].to_list() == [Decimal("101.00000000")]
    stream.close()


def test_a_stream_goes_on_over_a_restart_of_serving(market: SmallMarket, speed: str) -> None:
    port = free_port()
    told: list[Update] = []

    def read() -> None:
        with twofold.Client(f"127.0.0.1:{port}") as client:
            for update in client.stream("bars", symbol="BTCUSDT", columns="trades", last=1):
                told.append(update)
                if update.frame["trades"].to_list()[-1:] == [5]:
                    return

    reading = threading.Thread(target=read)
    reading.start()
    with served(market.lake, speed, timing=QUICK, port=port):
        eventually(lambda: told)
        market.trade("10:05:04")
        eventually(lambda: len(told) == 2)
    market.trade("10:05:05")
    with served(market.lake, speed, vouching(market.lake, market.log.open_reader), timing=QUICK, port=port):
        reading.join()
    assert [update.frame["trades"].to_list() for update in told] == [[3], [4], [5]]
    assert [update.kind for update in told] == ["state", "change", "change"]


def test_the_asynchronous_client_gives_the_same(api: Served, client: twofold.Client, market: SmallMarket) -> None:
    async def ask() -> tuple[pl.DataFrame, list[Update]]:
        async with twofold.AsyncClient(str(api.client.base_url)) as asking:
            bars = await asking.view("bars", symbol="BTCUSDT")
            with pytest.raises(UnknownName, match="no symbol 'NONE'"):
                await asking.view("bars", symbol="NONE")
            assert (await asking.again(bars.receipt["token"]))["receipt"] == bars.receipt
            told = []
            async for update in asking.stream("bars", symbol="BTCUSDT"):
                told.append(update)
                if len(told) == 2:
                    break
                await asyncio.to_thread(market.trade, "10:05:30")
            return bars.frame, told

    before = client.view("bars", symbol="BTCUSDT").frame
    frame, (state, change) = asyncio.run(ask())
    assert frame.equals(before)
    assert state.frame.equals(before)
    assert (change.kind, change.frame["trades"].to_list()) == ("change", [4])


def test_a_long_answer_comes_page_by_page_all_of_one_state(client: twofold.Client, market: SmallMarket) -> None:
    whole = client.view("bars", symbol="BTCUSDT")
    pages = client.pages("bars", limit=2, symbol="BTCUSDT")
    first = next(pages)
    market.trade("10:05:40", price="150")
    eventually(lambda: client.view("bars", symbol="BTCUSDT", last=1).frame["trades"].to_list() == [4])
    rest = list(pages)
    assert [page.frame.height for page in (first, *rest)] == [2, 1]
    assert first.next is not None
    assert rest[-1].next is None
    assert pl.concat(page.frame for page in (first, *rest)).equals(whole.frame)
    assert {page.receipt["sequence"] for page in (first, *rest)} == {1}
    assert [page.frame.height for page in client.pages("bars", symbol="BTCUSDT")] == [3]
    with pytest.raises(QueryError, match="limit=0"):
        next(client.pages("bars", limit=0))


def test_the_asynchronous_client_gives_the_same_pages_and_queries(api: Served, client: twofold.Client) -> None:
    async def ask() -> tuple[pl.DataFrame, pl.DataFrame]:
        async with twofold.AsyncClient(str(api.client.base_url)) as asking:
            pages = [page.frame async for page in asking.pages("bars", limit=2)]
            return pl.concat(pages), (await asking.sql("SELECT * FROM bars ORDER BY ALL")).frame

    bars = client.view("bars").frame
    for frame in asyncio.run(ask()):
        assert frame.equals(bars)


def test_a_query_in_sql_is_a_frame_with_the_receipts_of_what_it_read(client: twofold.Client) -> None:
    told = client.sql(
        "SELECT sum(notional) AS notional, max(window_start) AS newest FROM bars", symbol=["BTC*"], last=2
    )
    assert told.frame["notional"].to_list() == [Decimal(400)]
    assert told.frame["newest"].to_list() == [datetime(2024, 8, 9, 10, 5, tzinfo=UTC)]
    assert list(told.receipts) == ["bars"]
    assert told.receipts["bars"]["query"]["symbol"] == "BTC*"
    assert client.again(told.receipts["bars"]["token"])["receipt"] == told.receipts["bars"]
    assert told.freshness["speed"] == "live"
    with pytest.raises(UnknownName, match="no view 'bar'"):
        client.sql("SELECT * FROM bar")
    with pytest.raises(SqlRefused, match="this is DROP"):
        client.sql("DROP TABLE bars")
