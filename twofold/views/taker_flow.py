"""Taker flow: what takers bought and sold, and how far one side outweighed the other, per minute."""

from datetime import timedelta

from twofold.aggregates import Sum
from twofold.finish import column
from twofold.view import View

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
)
