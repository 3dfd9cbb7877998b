"""Quotients of sums, such as a mean price or an imbalance, over whole columns of integers of 128 bits.

A decimal column is integers with a common power of ten, so that a quotient of sums is one integer division with a
remainder, which says how to round. Where 128 bits might not be enough, it is left to exact arithmetic row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa

_SAFE = 10.0**37
"""Below this every step stays within 128 bits, and the result within 38 digits, whatever the floats here lose."""


class _Sum(NamedTuple):
    """Integers which, times 10 to the power of -scale, are a sum of columns; no absolute value is beyond `bound`."""

    integers: pl.Series
    scale: int
    bound: float


def quotient(meaning: Sequence[Any], frame: pl.DataFrame, places: int) -> pl.Series | None:
    """A formula over whole columns as Decimal(38, places), half to even; null where it has no value.

    Args:
        meaning: of the formula (`twofold.finish.Formula.meaning`).
        frame: its columns.
        places: digits behind the point.

    Returns:
        None if the formula is no quotient of sums, or if a step might leave the range of integers of 128 bits.
    """
    if meaning[0] != "/" or len(meaning) != 3:  # noqa: PLR2004  # a dividend and one divisor
        return None
    above, below = (_sum(part, frame) for part in meaning[1:])
    if above is None or below is None:
        return None
    shift = places + below.scale - above.scale
    above, below = _scaled(above, max(0, shift)), _scaled(below, max(0, -shift))
    if max(above.bound, below.bound) >= _SAFE:
        return None
    return decimals(_rounded(above.integers, below.integers), places)


def _sum(meaning: Sequence[Any], frame: pl.DataFrame) -> _Sum | None:
    terms = [(1, meaning)] if meaning[0] == "column" else meaning[1:]
    if meaning[0] not in {"column", "sum"} or any(term[0] != "column" for _, term in terms):
        return None
    columns = [(sign, _integers(frame[term[1]])) for sign, term in terms]
    scale = max(column.scale for _, column in columns)
    aligned = [(sign, _scaled(column, scale - column.scale)) for sign, column in columns]
    bound = sum(column.bound for _, column in aligned)
    if bound >= _SAFE:
        return None
    signed = [column.integers if sign > 0 else _number(0) - column.integers for sign, column in aligned]
    total = signed[0]
    for integers in signed[1:]:
        total += integers
    return _Sum(total, scale, bound)


def _integers(column: pl.Series) -> _Sum:
    integers = column.to_physical().cast(pl.Int128)
    bounds = (float(bound) for bound in (integers.min(), integers.max()) if bound is not None)  # type: ignore[arg-type]  # integers
    scale = column.dtype.scale if isinstance(column.dtype, pl.Decimal) else 0
    return _Sum(integers, scale, max(map(abs, bounds), default=0.0))


def _scaled(column: _Sum, places: int) -> _Sum:
    if not places or column.bound * 10.0**places >= _SAFE:
        return column._replace(bound=column.bound * 10.0**places)
    return _Sum(column.integers * _number(10**places), column.scale + places, column.bound * 10.0**places)


def _rounded(above: pl.Series, below: pl.Series) -> pl.Series:
    """Integers nearest to a quotient, half to even; null where a divisor is zero."""
    none, one, two = _number(0), _number(1), _number(2)
    is_negative = below < none
    above, below = ((none - part).zip_with(is_negative, part) for part in (above, below))
    below = below.set(below == none, None)
    whole = above // below
    twice = (above - whole * below) * two
    up = (twice > below) | ((twice == below) & (whole % two == one))
    return whole + up.cast(pl.Int128)


def _number(number: int) -> pl.Series:
    """A number as an operand of columns of 128 bits, which take no plain ones."""
    return pl.Series([number], dtype=pl.Int128)


def decimals(integers: pl.Series, places: int) -> pl.Series:
    """Integers as a decimal column with the point put before the last places."""
    whole = integers.cast(pl.Decimal(38, 0)).to_arrow()
    moved = pl.from_arrow(whole.view(pa.decimal128(38, places)))
    assert isinstance(moved, pl.Series)  # noqa: S101  # of an array
    return moved
