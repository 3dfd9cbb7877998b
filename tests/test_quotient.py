"""Quotients over whole columns: the same as exact arithmetic, or left to it."""

from decimal import Decimal
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twofold.finish import FEW_ROWS, FINISHED_TYPE, Formula, column, finish
from twofold.quotient import quotient

AMOUNTS = st.none() | st.decimals(-(10**9), 10**9, places=8)
ROWS = st.lists(st.tuples(AMOUNTS, AMOUNTS, st.none() | st.integers(-3, 2**62)), min_size=1, max_size=8)
A, B, C = column("a"), column("b"), column("c")


def frame(rows: list[tuple[Decimal | None, Decimal | None, int | None]]) -> pl.DataFrame:
    types = {"a": pl.Decimal(38, 16), "b": pl.Decimal(18, 8), "c": pl.Int64}
    return pl.DataFrame(
        {
            name: pl.Series(values, dtype=types[name])
            for name, values in zip("abc", zip(*rows, strict=True), strict=True)
        }
    )


def half_even(exact: Fraction) -> Decimal:
    return Decimal(round(exact * 10**8)).scaleb(-8)  # Python rounds a fraction half to even


def exactly(above: list[Decimal | int | None], below: list[Decimal | int | None]) -> Decimal | None:
    if None in (*above, *below) or not (divisor := sum(map(Fraction, below))):  # type: ignore[arg-type]  # none is None
        return None
    return half_even(sum(map(Fraction, above)) / divisor)  # type: ignore[arg-type]  # none is None


@given(ROWS)
def test_a_quotient_of_columns_is_exact_and_rounded_half_to_even(rows: list) -> None:
    found = quotient((A / B).meaning(), frame(rows), 8)
    assert found is not None
    assert found.dtype == FINISHED_TYPE
    assert found.to_list() == [exactly([a], [b]) for a, b, _ in rows]


@given(ROWS)
def test_sums_of_columns_of_different_scales_are_exact(rows: list) -> None:
    found = quotient(((A - B) / (B + A)).meaning(), frame(rows), 8)
    assert found is not None
    assert found.to_list() == [exactly([a, None if b is None else -b], [a, b]) for a, b, _ in rows]


@given(ROWS)
def test_whole_numbers_may_take_part(rows: list) -> None:
    found = quotient((B / C).meaning(), frame(rows), 8)
    assert found is not None
    assert found.to_list() == [exactly([b], [c]) for _, b, c in rows]


@pytest.mark.parametrize(
    ("tie", "even"),
    [("0.000000005", "0"), ("0.000000015", "2E-8"), ("-0.000000005", "0"), ("-0.000000015", "-2E-8")],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_tie_goes_to_the_even_neighbour(tie: str, even: str, sign: int) -> None:
    found = quotient((A / B).meaning(), frame([(sign * Decimal(tie), Decimal(sign), 0)]), 8)
    assert found is not None
    assert found[0] == Decimal(even)


@pytest.mark.parametrize("formula", [A, A + B, A / B / C, A / B + C, (A + B / C) / B])
def test_what_is_no_quotient_of_sums_is_left_to_exact_arithmetic(formula: Formula) -> None:
    assert quotient(formula.meaning(), frame([(Decimal(1), Decimal(1), 1)]), 8) is None


def test_what_might_not_fit_is_left_to_exact_arithmetic() -> None:
    wide = frame([(Decimal(10**14), Decimal("0.00000001"), 1)])
    assert quotient((A / C).meaning(), wide, 8) is not None
    assert quotient(((A + A) / C).meaning(), wide.with_columns(pl.col("a") * 5_000_000), 8) is None
    assert quotient((C / A).meaning(), wide.with_columns(c=pl.lit(2**62)), 8) is None


def test_many_rows_are_finished_as_few_are() -> None:
    rows = [(Decimal(n - 70) / 3, Decimal(n % 7) / 9, n) for n in range(FEW_ROWS + 50)]
    rounded = [(round(a, 16), round(b, 8), c) for a, b, c in rows]
    many = frame(rounded)
    few = [finish(A / B, many.slice(begin, 50))[place] for begin in range(0, many.height, 50) for place in range(50)]
    assert finish(A / B, many).to_list() == few
