"""TradingView's Universal Data Feed: markets as symbols of its charting library, and bars as it takes them.

Fields and their meaning are those of TradingView's documentation of the charting library, `UDF` and
`LibrarySymbolInfo`. A market is `VENUE:SYMBOL`, the venue in capitals as exchanges are written there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import polars as pl

from serving.markets import the_market
from twofold.errors import QueryError
from twofold.ledger import Market
from twofold.view import View

TYPE = "crypto"
PRICES = ("open", "high", "low", "close")

_MINUTES = (1, 3, 5, 15, 30, 60, 120, 240, 360, 480, 720)
_MINUTE_US = 60_000_000
_DAY, _DAY_US = "1D", 86_400_000_000
COLUMNS = (*PRICES, "volume")
"""The columns of the view `bars` that charts are made of."""

_BARS = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}


def resolutions(view: View) -> dict[str, int]:
    """The resolutions in which a view can be charted, with their microseconds: multiples of its grain, up to a day.

    Weeks and months are not among them, which the library makes of days: windows count from 1970, a Thursday.
    """
    lengths = {str(minutes): minutes * _MINUTE_US for minutes in _MINUTES} | {_DAY: _DAY_US}
    return {name: length_us for name, length_us in lengths.items() if length_us % view.window_us == 0}


def interval_us(resolution: str, view: View) -> int:
    """A resolution in microseconds.

    Raises:
        QueryError: the view has none of that name; the message names those that it has.
    """
    known = resolutions(view)
    length_us = known.get(_DAY if resolution == "D" else resolution)
    if length_us is None:
        raise QueryError(f"resolution={resolution[:20]!r} is not among {', '.join(known)}.")
    return length_us


def ticker(market: Market) -> str:
    """What a market is asked for by."""
    return f"{market[0].upper()}:{market[1]}"


def market_of(text: str, markets: Iterable[Market]) -> Market:
    """The market that `VENUE:SYMBOL` names, or a symbol alone that one venue has; the venue in letters of any case.

    Raises:
        UnknownName: there is none.
        AmbiguousSymbol: several venues have the symbol.
    """
    venue, colon, symbol = text.rpartition(":")
    return the_market(symbol, venue.lower() if colon else None, markets)


def config(view: View, markets: Iterable[Market]) -> dict[str, Any]:
    """What the library asks first: what the feed can do."""
    venues = sorted({venue for venue, _ in markets})
    everything = {"value": "", "name": "All"}
    return {
        "supports_search": True,
        "supports_group_request": False,
        "supports_marks": False,
        "supports_timescale_marks": False,
        "supports_time": True,
        "supported_resolutions": list(resolutions(view)),
        "exchanges": [
            {**everything, "desc": "All venues"},
            *({"value": venue.upper(), "name": venue, "desc": venue} for venue in venues),
        ],
        "symbols_types": [everything, {"value": TYPE, "name": TYPE}],
    }


def symbol_info(view: View, market: Market, bars: pl.DataFrame) -> dict[str, Any]:
    """What the library is to know of a market, of which `bars` are the newest: as many decimals as they have."""
    venue, symbol = market
    names = list(resolutions(view))
    return {
        "name": symbol,
        "ticker": ticker(market),
        "description": f"{symbol} at {venue}",
        "type": TYPE,
        "session": "24x7",
        "timezone": "Etc/UTC",
        "exchange": venue.upper(),
        "listed_exchange": venue.upper(),
        "format": "price",
        "minmov": 1,
        "pricescale": 10 ** max(map(_decimals, bars.select(PRICES).iter_columns())),
        "volume_precision": _decimals(bars["volume"]),
        "visible_plots_set": "ohlcv",
        "has_intraday": any(name != _DAY for name in names),
        "intraday_multipliers": [name for name in names if name != _DAY],
        "has_daily": _DAY in names,
        "has_weekly_and_monthly": False,
        "supported_resolutions": names,
        "data_status": "streaming",
    }


def search(text: str, exchange: str, kind: str, limit: int, markets: Iterable[Market]) -> list[dict[str, str]]:
    """The markets in whose ticker a text stands, in letters of any case, by ticker."""
    if kind not in {"", TYPE}:
        return []
    wanted = text.upper()
    found = sorted(market for market in markets if wanted in ticker(market).upper())
    return [
        {
            "symbol": symbol,
            "full_name": ticker((venue, symbol)),
            "ticker": ticker((venue, symbol)),
            "description": f"{symbol} at {venue}",
            "exchange": venue.upper(),
            "type": TYPE,
        }
        for venue, symbol in found
        if exchange.upper() in {"", venue.upper()}
    ][:limit]


def history(bars: pl.DataFrame) -> bytes:
    """Bars as JSON: times in seconds since 1970, and decimals as numbers with all their digits."""
    times = orjson.dumps((bars["window_start"].to_physical() // 1_000_000).to_list())
    columns = (f'"{name}":[{",".join(bars[column].cast(pl.String))}]' for name, column in _BARS.items())
    return b'{"s":"ok","t":' + times + b"," + ",".join(columns).encode() + b"}"


def _decimals(values: pl.Series) -> int:
    """How many digits behind the point the values have at most."""
    behind = values.cast(pl.String).str.strip_chars_end("0").str.split(".").list.get(1, null_on_oob=True)
    return int(behind.str.len_bytes().max() or 0)  # type: ignore[arg-type]  # lengths are integers
