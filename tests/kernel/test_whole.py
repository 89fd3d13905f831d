"""Whole numbers by the column: exact on both sides of 64 bits, half away from zero, unknown never counts."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.kernel.exact import ratio_half_up, traced
from include.kernel.whole import LIMIT, Column, added, from_arrow, product, quotient, times, to_decimal, traced_ratio

ANY = st.one_of(st.integers(-1000, 1000), st.integers(-(10**13), 10**13), st.integers(-(10**30), 10**30))


def column(numbers: list[int]) -> np.ndarray:
    return np.array(numbers, dtype=object if any(abs(number) > LIMIT for number in numbers) else np.int64)


@settings(deadline=None)
@given(st.lists(st.tuples(ANY, ANY), min_size=1, max_size=20))
def test_sums_and_products_are_python_s(pairs: list[tuple[int, int]]) -> None:
    left, right = (column([pair[side] for pair in pairs]) for side in (0, 1))
    assert added(left, right).tolist() == [a + b for a, b in pairs]
    assert product(left, right).tolist() == [a * b for a, b in pairs]
    assert times(left, 10**9).tolist() == [a * 10**9 for a, _ in pairs]


@settings(deadline=None)
@given(st.lists(st.tuples(ANY, ANY.filter(bool)), min_size=1, max_size=20), st.sampled_from([0, 2, 6]))
def test_quotients_are_half_away_from_zero_and_ratios_carry_their_trace(
    pairs: list[tuple[int, int]], decimals: int
) -> None:
    above, below = (column([pair[side] for pair in pairs]) for side in (0, 1))
    expected = [traced(Fraction(a, b), decimals + 1) for a, b in pairs]
    assert traced_ratio(above, below, above_times=10**decimals, below_times=1).tolist() == expected
    assert quotient(above, below).tolist() == [ratio_half_up(a, b, 0) for a, b in pairs]


def test_the_last_number_of_64_bits_and_the_first_beyond() -> None:
    assert added(np.array([LIMIT - 1]), np.array([1])).dtype == np.int64
    beyond = added(np.array([LIMIT]), np.array([1]))
    assert (beyond.dtype, beyond.tolist()) == (object, [2**63])
    assert product(np.array([2**32]), np.array([2**31])).tolist() == [2**63]


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(-(10**37), 10**37)), min_size=1, max_size=20))
def test_a_decimal_column_goes_in_and_comes_out_the_same(scaled: list[int | None]) -> None:
    context = [None if number is None else Decimal(f"{number}E-6") for number in scaled]
    arrow = pa.chunked_array([pa.array(context, pa.decimal128(38, 6))])
    found, decimals = from_arrow(arrow)
    assert decimals == 6
    assert to_decimal(found.values, 38, 6, found.known).equals(arrow)
    assert from_arrow(arrow.slice(1))[0].values.tolist() == found.values.tolist()[1:]


def test_a_number_too_long_for_its_column_is_an_error() -> None:
    assert to_decimal(np.array([999_999_999]), 9, 3).to_pylist() == [Decimal("999999.999")]
    with pytest.raises(OverflowError, match="more than 9 digits"):
        to_decimal(np.array([1_000_000_000]), 9, 3)


def test_floats_have_no_way_in_and_unknown_is_nothing() -> None:
    with pytest.raises(TypeError, match="not an exact number"):
        from_arrow(pa.chunked_array([pa.array([0.5])]))
    known = Column.of(np.array([7, 8]), np.array([True, False]))
    assert known.values.tolist() == [7, 0]
