from decimal import Decimal
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twofold.errors import ArithmeticOverflow, DeclarationError
from twofold.finish import FINISHED_TYPE, column, finish

AMOUNTS = st.decimals(0, 10**12, places=16, allow_nan=False)


def frame(**values: Decimal | None) -> pl.DataFrame:
    return pl.DataFrame({name: pl.Series([value], dtype=pl.Decimal(38, 16)) for name, value in values.items()})


def half_even(exact: Fraction) -> Decimal:
    """Round to eight places by comparing with both neighbours."""
    below = exact.numerator * 10**8 // exact.denominator
    distance = exact * 10**8 - below
    up = distance > Fraction(1, 2) or (distance == Fraction(1, 2) and below % 2 == 1)
    return Decimal(f"{below + up}E-8")


@given(a=AMOUNTS, b=AMOUNTS.filter(bool))
def test_a_quotient_is_rounded_once_and_half_to_even(a: Decimal, b: Decimal) -> None:
    if Fraction(a) / Fraction(b) < 10**29:
        assert finish(column("a") / column("b"), frame(a=a, b=b))[0] == half_even(Fraction(a) / Fraction(b))


@given(a=AMOUNTS, b=AMOUNTS)
def test_an_imbalance_is_exact_before_it_is_rounded(a: Decimal, b: Decimal) -> None:
    imbalance = (column("a") - column("b")) / (column("a") + column("b"))
    total = Fraction(a) + Fraction(b)
    expected = half_even((Fraction(a) - Fraction(b)) / total) if total else None
    assert finish(imbalance, frame(a=a, b=b))[0] == expected


@pytest.mark.parametrize(
    ("tie", "even"),
    [("0.000000005", "0"), ("0.000000015", "0.00000002"), ("-0.000000005", "0"), ("-0.000000015", "-0.00000002")],
)
def test_a_tie_goes_to_the_even_neighbour(tie: str, even: str) -> None:
    halves = frame(a=Decimal(tie), b=Decimal(0), c=Decimal(1))
    assert finish((column("a") + column("b")) / column("c"), halves)[0] == Decimal(even)


def test_there_is_no_value_where_a_divisor_is_zero_or_an_operand_is_missing() -> None:
    assert finish(column("a") / column("b"), frame(a=Decimal(1), b=Decimal(0)))[0] is None
    assert finish(column("a") + column("b"), frame(a=Decimal(1), b=None))[0] is None


def test_finished_columns_have_eight_places() -> None:
    assert finish(column("a"), frame(a=Decimal(1))).dtype == FINISHED_TYPE


def test_a_result_out_of_range_is_an_error() -> None:
    with pytest.raises(ArithmeticOverflow, match="out of the range"):
        finish(column("a") / column("b"), frame(a=Decimal(10**21), b=Decimal(1).scaleb(-16)))


def test_a_formula_takes_only_formulas() -> None:
    with pytest.raises(DeclarationError, match="cannot take 2 on the right of '/'"):
        column("a") / 2  # type: ignore[operator]  # the mistake that is tested
