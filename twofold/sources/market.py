"""A market: many symbols of very uneven volume, with prices that walk on ticks and ids without holes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from random import Random
from typing import NamedTuple

_US_PER_S = 1_000_000
_US_PER_MS = 1_000

_WELL_KNOWN = (
    ("BTCUSDT", 61_800.0),
    ("ETHUSDT", 2_680.0),
    ("SOLUSDT", 154.0),
    ("XRPUSDT", 0.6),
    ("BNBUSDT", 510.0),
    ("DOGEUSDT", 0.1),
    ("ADAUSDT", 0.34),
    ("LINKUSDT", 10.4),
    ("AVAXUSDT", 21.7),
    ("LTCUSDT", 59.0),
)
"""Symbols with the price that they start at; the ones after these get made-up names and prices."""
_ZIPF_EXPONENT = 1.0
_FOLLOWS = 0.3
"""Share of trades that belong to the order that made the one before: same symbol, same side."""
_STEP_TICKS = 1.5
_LEAST_TICKS = 1_000
_MEDIAN_NOTIONAL = 200.0
_NOTIONAL_SPREAD = 1.4
_PRICE_DIGITS = 5
"""Digits that a starting price has before its tick is one of the last."""


class Trade(NamedTuple):
    """A trade in the canonical wire format's terms; price and size are decimal text, `side` is the taker's."""

    symbol: str
    trade_id: int
    price: str
    size: str
    side: str
    event_time_us: int

    def to_json(self) -> bytes:
        """Write the trade as a canonical record's value."""
        return (
            f'{{"symbol":"{self.symbol}","trade_id":{self.trade_id},"price":"{self.price}","size":"{self.size}",'
            f'"side":"{self.side}","event_time_us":{self.event_time_us}}}'
        ).encode()


class Instrument:
    """One symbol: its next id, its price in ticks, and how fine its prices and sizes are.

    Args:
        symbol: its name.
        price: where its price starts.
        first_id: the id of its first trade; the next ones follow without holes.
        rng: where the chance comes from.
    """

    def __init__(self, symbol: str, price: float, first_id: int, rng: Random) -> None:
        self.symbol = symbol
        self._rng = rng
        self._price_places = min(8, max(0, _PRICE_DIGITS - len(str(int(price))) + (price < 1)))
        self._ticks = round(price * 10**self._price_places)
        self._size_places = min(8, max(0, len(str(int(price))) + (price >= 1)))
        self._median_lots = _MEDIAN_NOTIONAL / price * 10**self._size_places
        self._next_id = first_id

    def trade(self, side: str, event_time_us: int) -> Trade:
        """Make the next trade: the price steps on its ticks, a buyer pays the higher side of the spread."""
        rng = self._rng
        self._ticks = max(_LEAST_TICKS, self._ticks + round(rng.gauss(0.0, _STEP_TICKS)))
        lots = max(1, round(self._median_lots * rng.lognormvariate(0.0, _NOTIONAL_SPREAD)))
        trade_id = self._next_id
        self._next_id += 1
        price = _decimal(self._ticks + (side == "buy"), self._price_places)
        return Trade(self.symbol, trade_id, price, _decimal(lots, self._size_places), side, event_time_us)


class Market:
    """A market of `symbols` instruments; the volume of the n-th goes with 1/n.

    Args:
        symbols: how many instruments.
        start_us: when the market opens, in UTC microseconds, and the first id of every instrument.
        rng: where the chance comes from; equal states give equal trades.
    """

    def __init__(self, symbols: int, start_us: int, rng: Random) -> None:
        self._rng = rng
        self._start_us = start_us
        made_up = (
            (f"COIN{number:03}USDT", 10 ** rng.uniform(-2, 3)) for number in range(len(_WELL_KNOWN) + 1, symbols + 1)
        )
        self._instruments = [
            Instrument(name, price, start_us, rng) for name, price in (*_WELL_KNOWN[:symbols], *made_up)
        ]
        self._volumes = list(accumulate(rank**-_ZIPF_EXPONENT for rank in range(1, symbols + 1)))

    def trades(self, arrivals_s: Iterable[float]) -> Iterator[tuple[float, Trade]]:
        """Make a trade for each arrival.

        Args:
            arrivals_s: when trades happen, in seconds from the opening.

        Yields:
            The arrival, and a trade whose event time is opening plus arrival, in whole milliseconds as exchanges tell.
        """
        rng = self._rng
        instrument, side = self._instruments[0], "buy"
        for at_s in arrivals_s:
            if rng.random() >= _FOLLOWS:
                (instrument,) = rng.choices(self._instruments, cum_weights=self._volumes)
                side = "buy" if rng.random() < 0.5 else "sell"  # noqa: PLR2004 - a fair coin
            event_time_us = self._start_us + int(at_s * _US_PER_S)
            yield at_s, instrument.trade(side, event_time_us - event_time_us % _US_PER_MS)


def _decimal(units: int, places: int) -> str:
    if places == 0:
        return str(units)
    whole, fraction = divmod(units, 10**places)
    return f"{whole}.{fraction:0{places}}"
