"""Bars: open, high, low and close prices with volume, per minute."""

from datetime import timedelta

from twofold.aggregates import Count, First, Last, Max, Min, Sum
from twofold.finish import column
from twofold.view import View

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
)
