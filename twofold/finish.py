"""Finished columns: exact arithmetic over aggregates, and the one place where anything is divided or rounded."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from twofold.errors import ArithmeticOverflow, DeclarationError
from twofold.quotient import decimals, quotient

FINISHED_TYPE = pl.Decimal(38, 8)
"""The type of every finished column: 8 places, a tie rounded to the even neighbour; null where a divisor is zero."""

FEW_ROWS = 100
"""Rows that are finished one by one: so many take as long as the two dozen steps over whole columns."""

_UNIT = 10**8
_MOST = 10**38


@dataclass(frozen=True, slots=True)
class Formula:
    """Arithmetic over aggregate columns: `column("a") / (column("b") + column("c"))`."""

    operator: str
    operands: tuple[Formula | str, ...]

    def __add__(self, other: Formula) -> Formula:
        return self._with("+", other)

    def __sub__(self, other: Formula) -> Formula:
        return self._with("-", other)

    def __truediv__(self, other: Formula) -> Formula:
        return self._with("/", other)

    def columns(self) -> set[str]:
        """The names of the columns that the formula reads."""
        names = {operand for operand in self.operands if isinstance(operand, str)}
        return names.union(*(operand.columns() for operand in self.operands if isinstance(operand, Formula)))

    def meaning(self) -> list[Any]:
        """The formula as JSON data that is equal for formulas of equal meaning.

        The order and the grouping of what is added, subtracted or divided by do not matter: `a + b` and `b + a` are
        one, and so are `a - b - c` and `a - (b + c)`, or `a / b / c` and `a / c / b`.
        """
        if self.operator == "column":
            return [self.operator, *self.operands]
        left, right = (operand.meaning() for operand in self.operands if isinstance(operand, Formula))
        if self.operator == "/":
            dividend, divisors = (left[1], left[2:]) if left[0] == "/" else (left, [])
            return ["/", dividend, *sorted([*divisors, right], key=repr)]
        terms = [*_terms(left, 1), *_terms(right, 1 if self.operator == "+" else -1)]
        return ["sum", *sorted(terms, key=repr)]

    def _with(self, operator: str, other: object) -> Formula:
        if not isinstance(other, Formula):
            raise DeclarationError(
                f"A formula cannot take {other!r} on the right of {operator!r}: it is made of column(...), +, - and /."
            )
        return Formula(operator, (self, other))


def column(name: str) -> Formula:
    """A formula that is one aggregate's value."""
    return Formula("column", (name,))


def _terms(meaning: list[Any], sign: int) -> list[Any]:
    """What a meaning adds up, each with its sign."""
    return [[sign * its, term] for its, term in meaning[1:]] if meaning[0] == "sum" else [[sign, meaning]]


def finish(formula: Formula, frame: pl.DataFrame) -> pl.Series:
    """Evaluate a formula over whole rows of merged aggregates, as `FINISHED_TYPE`.

    Intermediate results are exact fractions (numerator and denominator); only the end result is rounded, once.

    Raises:
        ArithmeticOverflow: a result leaves the range of `FINISHED_TYPE`.
    """
    if frame.height > FEW_ROWS:
        over_columns = quotient(formula.meaning(), frame, FINISHED_TYPE.scale)
        if over_columns is not None:
            return over_columns
    values = {name: _fractions(frame[name]) for name in formula.columns()}
    results = [_rounded(*_evaluate(formula, values, row)) for row in range(frame.height)]
    return decimals(pl.Series(results, dtype=pl.Int128), FINISHED_TYPE.scale)


def _fractions(column: pl.Series) -> list[tuple[int, int]]:
    """The values of a column as numerator and denominator; a denominator of 0 stands for no value."""
    unit = 10**column.dtype.scale if isinstance(column.dtype, pl.Decimal) else 1
    return [(0, 0) if value is None else (value, unit) for value in column.to_physical().to_list()]


def _evaluate(formula: Formula | str, values: dict[str, list[tuple[int, int]]], row: int) -> tuple[int, int]:
    """The value at a row as numerator and denominator."""
    if isinstance(formula, str):
        return values[formula][row]
    if formula.operator == "column":
        return _evaluate(formula.operands[0], values, row)
    (a, b), (c, d) = (_evaluate(operand, values, row) for operand in formula.operands)
    if formula.operator == "/":
        return (a * d, b * c) if d else (0, 0)
    sign = 1 if formula.operator == "+" else -1
    return a * d + sign * c * b, b * d


def _rounded(numerator: int, denominator: int) -> int | None:
    """The number of units of the last place that is nearest to a fraction, half to even."""
    if denominator == 0:
        return None
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    units, remainder = divmod(numerator * _UNIT, denominator)
    if 2 * remainder > denominator or (2 * remainder == denominator and units % 2):
        units += 1
    if abs(units) >= _MOST:
        raise ArithmeticOverflow(
            f"A finished column would be {Decimal(units).scaleb(-8):.3E}, out of the range of {FINISHED_TYPE}. "
            "Look for a wrong price or size among the trades of the windows asked for."
        )
    return units
