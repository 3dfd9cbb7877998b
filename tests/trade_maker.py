"""Frames of trades for tests, made from plain Python values, and hypothesis strategies for extreme ones."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
from hypothesis import strategies as st

from twofold.decoding import TRADE_SCHEMA

BEGIN_US = int(datetime(2024, 8, 9, tzinfo=UTC).timestamp()) * 1_000_000

UNIT = Decimal(1).scaleb(-8)
PRICES = st.sampled_from([UNIT, Decimal("0.1"), Decimal("61837.63"), Decimal("9999999999.99999999")])
SIZES = st.sampled_from([UNIT, Decimal("0.02"), Decimal(7), Decimal("99.99999999")])


def trade_row(
    trade_id: int,
    *,
    price: str | Decimal = "100",
    size: str | Decimal = "1",
    side: str = "buy",
    symbol: str = "BTCUSDT",
    venue: str = "test",
    event_us: int = BEGIN_US,
    arrival_us: int | None = None,
    lane: str = "t/0",
    offset: int = 0,
) -> dict[str, object]:
    """One trade as the decoder would give it; times in UTC microseconds."""
    price, size = Decimal(price), Decimal(size)
    return {
        "venue": venue,
        "symbol": symbol,
        "trade_id": trade_id,
        "trade_key": None,
        "price": price,
        "size": size,
        "notional": price * size,
        "side": side,
        "event_time": event_us,
        "arrival_time": event_us if arrival_us is None else arrival_us,
        "lane": lane,
        "offset": offset,
    }


def trades_frame(rows: list[dict[str, object]]) -> pl.DataFrame:
    """Trades as a frame of `TRADE_SCHEMA`."""
    times = {"event_time": pl.Int64, "arrival_time": pl.Int64}
    raw = pl.DataFrame(rows, schema={**TRADE_SCHEMA, **times}, orient="row")
    return raw.with_columns(pl.col(name).cast(TRADE_SCHEMA[name]) for name in times)


@st.composite
def markets(draw: st.DrawFn, *, max_trades: int = 40) -> list[dict[str, object]]:
    """Trades of distinct ids with extreme prices, ties in time and few groups, so that groups have many trades."""
    count = draw(st.integers(1, max_trades))
    return [
        trade_row(
            number,
            price=draw(PRICES),
            size=draw(SIZES),
            side=draw(st.sampled_from(["buy", "sell"])),
            symbol=draw(st.sampled_from(["BTCUSDT", "ETHUSDT"])),
            event_us=BEGIN_US + draw(st.sampled_from([0, 1, 59_999_999, 60_000_000, 119_999_999, 86_399_999_999])),
            offset=number,
        )
        for number in range(count)
    ]
