"""The view `bars` as tests change it: other columns, a finer grain, and an allowed lateness."""

from __future__ import annotations

from datetime import timedelta

from twofold.aggregates import Count, Last, Min, Sum
from twofold.finish import column
from twofold.view import View

CHANGED_BARS = View(
    name="bars",
    window=timedelta(seconds=30),
    lateness=timedelta(seconds=20),
    aggregates={
        "close": Last("price"),
        "low": Min("price"),
        "volume": Sum("size"),
        "trades": Count(),
        "buys": Count(where={"side": "buy"}),
    },
    finished={"mean_size": column("volume") / column("trades")},
)
"""What the oracle calls `changed bars`."""
