"""Spark folds and merges as Polars does: to the same values and types, on extreme trades, or with the same error."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import product
from random import Random
from typing import Any

import polars as pl
import pytest
from trade_maker import BEGIN_US, trade_row, trades_frame

from twofold.aggregates import Count, First, Last, Max, Min, Sum
from twofold.errors import ArithmeticOverflow
from twofold.fold import fold, merge
from twofold.ledger import Ledger
from twofold.view import View
from twofold.views import VIEWS

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

PRICES = ("0.00000001", "0.1", "61837.63", "9999999999.99999999")
SIZES = ("0.00000001", "0.02", "7", "99.99999999")
LARGEST = Decimal("9999999999999999999999.9999999999999999")
EDGE_IDS = (-(2**63), -1, 0, 2**20 - 1, 2**20, 2**63 - 2, 2**63 - 1)
EVERYTHING = View(
    name="everything",
    window=timedelta(hours=6),
    keys=("venue", "symbol", "side"),
    aggregates={
        f"{kind.__name__.lower()}_{column}_{side}": kind(column, where={"side": side} if side != "any" else {})
        for kind, column, side in product((First, Last, Min, Max, Sum), ("price", "size", "notional"), ("any", "buy"))
    }
    | {"buys": Count(where={"side": "buy"}), "trades": Count()},
)
VIEW = pytest.mark.parametrize("view", [*VIEWS.values(), EVERYTHING], ids=lambda view: view.name)


def extreme_trades() -> pl.DataFrame:
    """Groups of one trade and of many, ties in time, windows before 1970 and at their edges, the largest decimals."""
    random = Random(5)
    minutes_us = 60_000_000
    begins = (BEGIN_US, BEGIN_US - 1, BEGIN_US + minutes_us - 1, -1, 0, -BEGIN_US)
    rows = []
    for number in range(60):
        ids = random.sample(sorted({*EDGE_IDS, *range(50)}), random.choice([1, 2, 12, 40]))
        rows += [
            trade_row(
                trade_id,
                venue=f"v{number}",
                symbol=random.choice(["BTCUSDT", "ETHUSDT"]),
                price=random.choice(PRICES),
                size=random.choice(SIZES),
                side=random.choice(["buy", "sell"]),
                event_us=random.choice(begins) + random.choice([0, 0, 1, minutes_us]),
                offset=offset,
            )
            for offset, trade_id in enumerate(ids)
        ]
    return trades_frame(rows)


def given(spark: Any, frame: pl.DataFrame) -> Any:  # noqa: ANN401  # a Spark session and a Spark frame
    from batch_layer.spark.columns import to_arrow  # noqa: PLC0415  # slow, and in vain without Java

    return spark.createDataFrame(to_arrow(frame)).repartition(3)


def result(rows: Any, schema: pl.Schema) -> pl.DataFrame:  # noqa: ANN401  # a Spark frame
    from batch_layer.spark.columns import collected  # noqa: PLC0415  # likewise

    return collected(rows, schema)


def check_same(view: View, rows: Any, expected: pl.DataFrame) -> None:  # noqa: ANN401  # a Spark frame
    from batch_layer.spark.columns import spark_type  # noqa: PLC0415  # likewise

    assert rows.dtypes == [(name, spark_type(dtype)) for name, dtype in view.partial_schema.items()]
    found = result(rows, view.partial_schema)
    assert found.height == expected.height > 0
    assert found.sort(view.group).equals(expected.sort(view.group))


@VIEW
def test_spark_folds_extreme_trades_to_what_polars_does(spark: Any, view: View) -> None:  # noqa: ANN401  # a Spark session
    from batch_layer.spark import folding  # noqa: PLC0415  # likewise

    trades = extreme_trades()
    check_same(view, folding.fold(view, given(spark, trades)), fold([view], trades)[view.name])


@VIEW
def test_spark_merges_partials_to_what_polars_does(spark: Any, view: View) -> None:  # noqa: ANN401  # a Spark session
    from batch_layer.spark import folding  # noqa: PLC0415  # likewise

    trades = extreme_trades()
    pieces = [
        fold([view], trades[start::3])[view.name].with_columns(revisions=pl.lit(start, pl.Int64)) for start in range(3)
    ]
    partials = pl.concat(pieces)
    check_same(view, folding.merge(view, given(spark, partials)), merge(view, partials))


@pytest.mark.parametrize("amount", [Decimal(10) ** 21, LARGEST])
def test_a_sum_that_leaves_its_range_is_the_same_error_by_spark(spark: Any, amount: Decimal) -> None:  # noqa: ANN401  # a Spark session
    from batch_layer.spark import folding  # noqa: PLC0415  # likewise
    from batch_layer.spark.session import in_our_words  # noqa: PLC0415  # likewise

    view = VIEWS["bars"]
    one = fold([view], trades_frame([trade_row(1)]))[view.name]
    partials = pl.concat([one.with_columns(notional=pl.Series([amount], dtype=pl.Decimal(38, 16)))] * 2)
    with pytest.raises(ArithmeticOverflow):
        merge(view, partials)
    with pytest.raises(ArithmeticOverflow), in_our_words("merging"):
        folding.merge(view, given(spark, partials)).collect()


def test_ids_become_the_same_intervals_by_spark(spark: Any) -> None:  # noqa: ANN401  # a Spark session
    from batch_layer.ledger import with_times  # noqa: PLC0415  # likewise
    from batch_layer.spark.intervals import ledger_rows  # noqa: PLC0415  # likewise

    ids = [*EDGE_IDS, *range(2**20 - 3, 2**20 + 3), *range(2**21 - 40, 2**21), -(2**63) + 1, 5, 6, 8]
    trades = trades_frame([trade_row(trade_id, event_us=BEGIN_US + trade_id % 97) for trade_id in sorted({*ids})])
    added = Ledger().sort_out(trades).added
    expected = with_times(added.frame, trades)
    assert ledger_rows(given(spark, trades)).equals(expected.sort("venue", "symbol", "first_id"))
