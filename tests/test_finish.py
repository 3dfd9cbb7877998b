from decimal import Decimal
from fractions import Fraction
from operator import add, sub, truediv

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twofold.errors import ArithmeticOverflow, DeclarationError
from twofold.finish import FINISHED_TYPE, Formula, column, finish

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


A, B, C, D = (column(name) for name in "abcd")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (A + B, B + A),
        ((A + B) + C, A + (C + B)),
        (A - B - C, A - (B + C)),
        (A - (B - C), A + C - B),
        (A / B / C, A / C / B),
        ((A + B) / (C - D) / D, (B + A) / D / (C - D)),
    ],
)
def test_formulas_that_only_order_or_group_differently_mean_the_same(one: Formula, other: Formula) -> None:
    assert one.meaning() == other.meaning()
    values = frame(a=Decimal(3), b=Decimal(5), c=Decimal("0.7"), d=Decimal(11))
    assert finish(one, values)[0] == finish(other, values)[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (A, B),
        (A + B, A - B),
        (A - B, B - A),
        (A + B, A + B + B),
        (A / B, B / A),
        (A / B / C, A / (B / C)),
        ((A + B) / C, A + B / C),
        (A - B - C, A - (B - C)),
    ],
)
def test_formulas_that_give_other_values_mean_something_else(one: Formula, other: Formula) -> None:
    assert one.meaning() != other.meaning()
    values = frame(a=Decimal(3), b=Decimal(5), c=Decimal("0.7"))
    assert finish(one, values)[0] != finish(other, values)[0]


FORMULAS = st.recursive(
    st.sampled_from([A, B, C, D]),
    lambda parts: st.builds(lambda a, b, operate: operate(a, b), parts, parts, st.sampled_from([add, sub, truediv])),
    max_leaves=8,
)


def exactly(formula: Formula, values: dict[str, Fraction | None]) -> Fraction | None:
    """The value by Python's own fractions."""
    if formula.operator == "column":
        return values[str(formula.operands[0])]
    left, right = (exactly(part, values) for part in formula.operands if isinstance(part, Formula))
    if left is None or right is None or (formula.operator == "/" and right == 0):
        return None
    return {"+": add, "-": sub, "/": truediv}[formula.operator](left, right)  # type: ignore[no-any-return]  # a fraction


@given(formula=FORMULAS, amounts=st.lists(st.none() | st.decimals(0, 10**6, places=8), min_size=4, max_size=4))
def test_any_formula_is_exact_until_it_is_rounded(formula: Formula, amounts: list[Decimal | None]) -> None:
    named = dict(zip("abcd", amounts, strict=True))
    exact = exactly(formula, {name: None if value is None else Fraction(value) for name, value in named.items()})
    try:
        found = finish(formula, frame(**named))[0]
    except ArithmeticOverflow:
        assert exact is not None
        assert abs(exact) >= 10**29
    else:
        assert found == (None if exact is None else half_even(exact))
