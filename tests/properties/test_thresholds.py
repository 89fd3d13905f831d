"""A quotient is on the side of a threshold on which cross-multiplication puts it, in every engine, at every size."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Literal

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from include.kernel.exact import from_scaled, to_scaled
from include.schemes.curves import compile_curve
from include.schemes.engine import load
from include.schemes.expression import Quantity, parse_unit
from include.schemes.formula import compile_condition, compile_formula
from include.schemes.shapes import read_shape

KNOWN = {"a": Quantity(2, parse_unit("元")), "b": Quantity(2, parse_unit("元"))}
CENTS = st.integers(1, 10**15)
PER_MILLION = st.integers(1, 999_999)
NEARLY = st.integers(-2, 2)
EDGES = st.sampled_from(["[a,b)", "(a,b]"])


@settings(max_examples=200, deadline=None)
@given(CENTS, PER_MILLION, NEARLY, EDGES)
def test_a_step_at_a_ratio_is_decided_by_cross_multiplication(
    below: int, threshold: int, cents: int, edge: Literal["[a,b)", "(a,b]"]
) -> None:
    """a/b >= p/1000000 when a * 1000000 >= b * p, also where a lies one cent from the line and b is ten trillion."""
    above = below * threshold // 10**6 + cents
    left, right = above * 10**6, below * threshold
    reached = left >= right if edge == "[a,b)" else left > right
    at = from_scaled(threshold, 6)
    form = f"step({at}:100)"

    curve = compile_curve(form, decimals=6, edge=edge)
    formula = compile_formula("ratio(a, b)", KNOWN, decimals=6)
    held = {"a": from_scaled(above, 2), "b": from_scaled(below, 2)}
    value = formula.evaluate(held, curve.thresholds)
    assert isinstance(value, Decimal)
    assert curve.points_at(value) == (100 if reached else 0)
    columns = load(pa.table({n: pa.array([v], pa.decimal128(38, 2)) for n, v in held.items()}), KNOWN, KNOWN)
    assert int(formula.on_its_side(columns, 1, curve.thresholds).values[0]) == to_scaled(value, 6)
    assert abs(Fraction(value) - Fraction(above, below)) < Fraction(1, 10**6)  # shown within one unit of the truth

    assert read_shape(form, edge=edge).at(Fraction(above, below)) == (100 if reached else 0)

    sign = ">=" if edge == "[a,b)" else ">"
    condition = compile_condition(f"ratio(a, b) {sign} {at}", KNOWN)
    assert condition.evaluate(held) is reached
    turned = compile_condition(f"{at} {'<=' if edge == '[a,b)' else '<'} ratio(a, b)", KNOWN)
    assert turned.evaluate(held) is reached
    assert bool(condition.column(columns, 1).values[0]) is reached


def test_one_cent_in_a_hundred_million_is_on_its_own_side() -> None:
    """29,999,999.99 / 100,000,000.00 = 0.2999999999: half up it would be shown as 0.300000, on the wrong side."""
    curve = compile_curve("step(0.3:100)", decimals=6)
    case = "coalesce(case when b > 0 then ratio(a, b) end, 0)"
    held = {"a": Decimal("29999999.99"), "b": Decimal("100000000.00")}
    assert compile_formula(case, KNOWN, decimals=6).evaluate(held, curve.thresholds) == Decimal("0.299999")
    assert compile_formula(case, KNOWN, decimals=6).evaluate(held) == Decimal("0.300000")
    strict = compile_curve("step(>0.3:100)", decimals=6)
    held["a"] = Decimal("30000000.01")
    assert compile_formula(case, KNOWN, decimals=6).evaluate(held, strict.thresholds) == Decimal("0.300001")


@settings(max_examples=100, deadline=None)
@given(st.integers(-(10**12), 10**12), CENTS)
def test_a_quotient_without_a_threshold_is_half_up_at_its_decimals(above: int, below: int) -> None:
    value = compile_formula("ratio(a, b)", KNOWN, decimals=6).evaluate(
        {"a": from_scaled(above, 2), "b": from_scaled(below, 2)}
    )
    assert isinstance(value, Decimal)
    twice = 2 * 10**6 * abs(above) - 2 * abs(to_scaled(value, 6)) * below  # twice what rounding left, in units of b
    assert -below <= twice < below


SMALL_CENTS = st.integers(1, 10**9)


@settings(max_examples=200, deadline=None)
@given(SMALL_CENTS, SMALL_CENTS, SMALL_CENTS, st.integers(-3, 3))
def test_sums_and_products_of_quotients_are_rounded_once(a: int, b: int, c: int, times: int) -> None:
    """Against plain fractions: a/b + times x c/b, a mean, a product, a difference, and the side of 1/2 they lie on."""
    known = {name: Quantity(2, parse_unit("元")) for name in "abc"}
    held = {name: from_scaled(value, 2) for name, value in zip("abc", (a, b, c), strict=True)}
    columns = load(pa.table({n: pa.array([v], pa.decimal128(38, 2)) for n, v in held.items()}), known, known)
    first, second = Fraction(a, b), Fraction(c, b)
    factor = f"{times}" if times >= 0 else f"(0 - {-times})"
    on_paper = {
        f"ratio(a, b) + {factor} * ratio(c, b)": first + times * second,
        f"ratio(ratio(a, b) + {factor} * ratio(c, b), 3)": (first + times * second) / 3,
        "ratio(a, b) * ratio(c, b)": first * second,
        "1 - ratio(a, b)": 1 - first,
        "ratio(1, ratio(a, b))": 1 / first,
        "coalesce(case when a > c then ratio(a, b) - ratio(c, b) end, ratio(c, b) * 2)": (
            first - second if a > c else second * 2
        ),
    }
    for text, exact in on_paper.items():
        formula = compile_formula(text, known, decimals=6)
        sign = -1 if exact < 0 else 1
        shown = sign * ((2 * abs(exact) * 10**6 + 1) // 2)
        assert formula.evaluate(held) == from_scaled(int(shown), 6), text
        assert int(formula.column(columns, 1).values[0]) == shown, text
        condition = compile_condition(f"{text} >= 0.5", known)
        assert condition.evaluate(held) is (exact >= Fraction(1, 2)), text
        assert bool(condition.column(columns, 1).values[0]) is (exact >= Fraction(1, 2)), text


def test_a_third_and_a_sixth_are_a_half() -> None:
    known = {name: Quantity(0, ()) for name in "abcd"}
    held = {"a": Decimal(1), "b": Decimal(3), "c": Decimal(1), "d": Decimal(6)}
    curve = compile_curve("step(0.5:100)", decimals=6)
    formula = compile_formula("ratio(a, b) + ratio(c, d)", known, decimals=6)
    columns = load(pa.table({n: pa.array([v], pa.decimal128(38, 0)) for n, v in held.items()}), known, known)
    assert formula.evaluate(held, curve.thresholds) == Decimal("0.500000")
    assert formula.on_its_side(columns, 1, curve.thresholds).values.tolist() == [500_000]
    assert compile_formula("3 * ratio(a, b)", known, decimals=6).column(columns, 1).values.tolist() == [1_000_000]
