"""Realised volatility against the formulas, written out."""

import math
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from batch_layer.end_of_day.volatility import realised

PARTS = [(100.0, 110.0, 95.0, 105.0), (105.0, 106.0, 90.0, 92.0), (92.0, 92.0, 92.0, 92.0)]


def frame(parts: list[tuple[float, float, float, float]]) -> pl.DataFrame:
    schema = dict.fromkeys(("open", "high", "low", "close"), pl.Decimal(18, 8))
    return pl.DataFrame([[Decimal(str(value)) for value in part] for part in parts], schema=schema, orient="row")


def test_each_estimator_is_its_formula() -> None:
    found = realised(frame(PARTS))
    changes = [math.log(105 / 100), math.log(92 / 105), 0.0]
    assert found.close_to_close == pytest.approx(math.sqrt(sum(change**2 for change in changes)))
    ranges = [math.log(high / low) ** 2 for _, high, low, _ in PARTS]
    assert found.parkinson == pytest.approx(math.sqrt(sum(ranges) / (4 * math.log(2))))
    bodies = [math.log(close / opened) ** 2 for opened, _, _, close in PARTS]
    squares = [0.5 * span - (2 * math.log(2) - 1) * body for span, body in zip(ranges, bodies, strict=True)]
    assert found.garman_klass == pytest.approx(math.sqrt(sum(squares)))


def test_a_price_that_does_not_move_has_no_volatility() -> None:
    assert vars(realised(frame([(7.0, 7.0, 7.0, 7.0)]))) == dict.fromkeys(
        ("close_to_close", "parkinson", "garman_klass"), 0.0
    )


def test_of_a_random_walk_all_three_find_the_volatility_that_it_has() -> None:
    random, steps, parts, sigma = np.random.default_rng(1), 400, 2000, 0.5
    walk = np.exp(np.concatenate([[0.0], np.cumsum(random.normal(0, sigma / math.sqrt(steps * parts), steps * parts))]))
    rows = [walk[start : start + steps + 1] for start in range(0, steps * parts, steps)]
    found = realised(
        pl.DataFrame({"open": [row[0] for row in rows], "high": [row.max() for row in rows]}).with_columns(
            low=pl.Series([row.min() for row in rows]), close=pl.Series([row[-1] for row in rows])
        )
    )
    for estimate in vars(found).values():
        assert estimate == pytest.approx(sigma, rel=0.06)
