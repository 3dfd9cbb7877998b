"""Taker flow: what takers bought and sold, and how far one side outweighed the other, per minute."""

from datetime import timedelta

from twofold.aggregates import Sum
from twofold.finish import column
from twofold.view import Described, View

taker_flow = View(
    name="taker_flow",
    window=timedelta(minutes=1),
    aggregates={
        "buy_volume": Sum("size", where={"side": "buy"}),
        "sell_volume": Sum("size", where={"side": "sell"}),
        "buy_notional": Sum("notional", where={"side": "buy"}),
        "sell_notional": Sum("notional", where={"side": "sell"}),
    },
    finished={
        "imbalance": (column("buy_volume") - column("sell_volume")) / (column("buy_volume") + column("sell_volume")),
    },
    described={
        "buy_volume": Described("sum of sizes that takers bought", "units of the base currency"),
        "sell_volume": Described("sum of sizes that takers sold", "units of the base currency"),
        "buy_notional": Described("sum of price times size that takers bought", "quote currency"),
        "sell_notional": Described("sum of price times size that takers sold", "quote currency"),
        "imbalance": Described("(bought - sold) / (bought + sold) by volume; null without either", "from -1 to 1"),
    },
)
