"""Bars: open, high, low and close prices with volume, per minute."""

from datetime import timedelta

from twofold.aggregates import Count, First, Last, Max, Min, Sum
from twofold.finish import column
from twofold.view import Described, View

bars = View(
    name="bars",
    window=timedelta(minutes=1),
    aggregates={
        "open": First("price"),
        "high": Max("price"),
        "low": Min("price"),
        "close": Last("price"),
        "volume": Sum("size"),
        "notional": Sum("notional"),
        "trades": Count(),
    },
    finished={"vwap": column("notional") / column("volume")},
    described={
        "open": Described("price of the first trade by event time and trade id", "quote currency per unit"),
        "high": Described("highest price", "quote currency per unit"),
        "low": Described("lowest price", "quote currency per unit"),
        "close": Described("price of the last trade by event time and trade id", "quote currency per unit"),
        "volume": Described("sum of sizes", "units of the base currency"),
        "notional": Described("sum of price times size", "quote currency"),
        "trades": Described("number of trades", "trades"),
        "vwap": Described("notional divided by volume", "quote currency per unit"),
    },
)
