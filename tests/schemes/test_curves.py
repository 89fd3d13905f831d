"""Curves: one table of segments for every form, the columns equal to the reference, a finite proof of order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.kernel.exact import from_scaled, to_scaled
from include.schemes.curves import FULL, Curve, CurveError, compile_curve

FORMS: list[tuple[str, int, Any]] = [
    ("linear(0; 0.1)", 6, "[a,b)"),
    ("linear(0.05; 0.5)", 6, "[a,b)"),
    ("growth(-0.2; 0.5)", 6, "[a,b)"),
    ("log(1; 100)", 2, "[a,b)"),
    ("log(1; 50)", 0, "[a,b)"),
    ("log(500000; 1000000000)", 2, "[a,b)"),
    ("step(1:30; 3:60; 5:80; 8:100)", 4, "[a,b)"),
    ("step(1:30; 3:60; 5:80; 8:100)", 4, "(a,b]"),
    ("band(-0.01; 0; 0.4; 0.9)", 6, "[a,b)"),
    ("bool(1:100; 0:0)", 0, "[a,b)"),
    ("penalty(0:0; 0.5:-20; 1:-60; 2:-100)", 1, "[a,b)"),
    ("linear(0.9; 0.1)", 6, "[a,b)"),
    ("log_linear(100; 75000)", 2, "[a,b)"),
    ("sqrt_linear(0; 400)", 2, "[a,b)"),
    ("piecewise(0:0; 1:60; 3:70; 10:100)", 2, "[a,b)"),
    ("step(below:100; >0.55:50; >0.75:0)", 6, "[a,b)"),
    ("step(>0:10; >=0.05:100)", 6, "(a,b]"),
    ("per_item(30; 100)", 1, "[a,b)"),
    ("lookup(1:100; 2:60; 4:40; otherwise:0)", 0, "[a,b)"),
]


def _edges(curve: Curve) -> list[int]:
    """Every edge in the value's own decimals, with its neighbours."""
    shift = 10 ** (curve.decimals - curve.value_decimals)
    lowers = [segment.lower // shift for segment in curve.segments if segment.lower is not None]
    return sorted({lower + step for lower in lowers for step in (-1, 0, 1)} | {0, -1, 10**15})


@settings(max_examples=4, deadline=None)
@given(st.data())
@pytest.mark.parametrize(("form", "decimals", "edge"), FORMS)
def test_columns_give_exactly_what_the_reference_gives(
    form: str, decimals: int, edge: Any, data: st.DataObject
) -> None:
    curve = compile_curve(form, decimals=decimals, edge=edge)
    low, high = _edges(curve)[1], _edges(curve)[-2]
    values = [*_edges(curve), *data.draw(st.lists(st.integers(low - 5, high + 5), min_size=50, max_size=50))]
    for stretched in (1, 2**70):  # the second run is beyond 64 bits
        millionths = np.array([value * 10 ** (6 - decimals) for value in values] + [stretched])
        found = curve.hits(millionths, 6)
        for scaled, number, points in zip(values, *found, strict=False):
            hit = curve.segment_of(from_scaled(scaled, decimals))
            assert (points, number) == (to_scaled(hit.raw_points, 3), hit.segment.number)


@pytest.mark.parametrize(("form", "decimals", "edge"), FORMS)
def test_segments_cover_every_value_once_and_stay_in_bounds(form: str, decimals: int, edge: Any) -> None:
    curve = compile_curve(form, decimals=decimals, edge=edge)
    assert curve.segments[0].lower is None
    assert curve.segments[-1].upper is None
    for before, after in zip(curve.segments, curve.segments[1:], strict=False):
        assert before.upper == after.lower
        assert after.number == before.number + 1
    assert all(-FULL <= end <= FULL for s in curve.segments for end in (s.start, s.end))


def test_a_log_curve_stays_close_to_the_logarithm() -> None:
    curve = compile_curve("log(1000000; 200000000)", decimals=2)
    for value in (1, 1000, 250000, 1000000, 7654321, 123456789):
        exact = 100 * (1 + Decimal(value) / 1000000).ln() / Decimal(201).ln()
        assert 0 <= exact - curve.points_at(Decimal(value)) < Decimal("0.2")  # chords lie below, at most 0.2 raw points


@pytest.mark.parametrize(
    ("form", "value", "points"),
    [
        ("log_linear(100; 1)", "100", 0),
        ("log_linear(100; 1)", "10", 50),  # half of the way from ln 100 to ln 1
        ("log_linear(100; 1)", "1", 100),
        ("sqrt_linear(100; 0)", "25", 50),  # 1 - 5/10
        ("sqrt_linear(100; 0)", "0", 100),
    ],
)
def test_a_stretched_curve_may_fall(form: str, value: str, points: int) -> None:
    assert compile_curve(form, decimals=2).points_at(Decimal(value)) == points


@pytest.mark.parametrize(
    ("form", "value", "points", "at", "gain"),
    [
        ("step(1:30; 3:60)", "2.9", 30, "3.0", 30),
        ("step(1:30; 3:60)", "3.0", 60, None, None),
        ("linear(0; 0.1)", "0.3", 100, None, None),
        ("linear(0; 10)", "-3.0", 0, "10.0", 100),  # at 0 it still gives nothing
        ("linear(10; 0)", "4.0", 60, "0.0", 40),  # less is better
        ("linear(10; 0)", "12.0", 0, "0.0", 100),
        ("penalty(1:-30; 2:-60)", "2.0", -60, "1.9", 30),
        ("penalty(>1:-30)", "1.5", -30, "1.0", 30),
        ("penalty(1:-30; 2:-60)", "0.0", 0, None, None),
        ("band(0; 6; 9; 20)", "9.5", 95.455, "9.0", 4.545),  # 10.5/11 of the way down; 6 lies further
        ("band(0; 6; 9; 20)", "3.0", 50, "6.0", 50),
        ("band(0; 6; 9; 20)", "7.0", 100, None, None),
    ],
)
def test_the_next_edge_is_the_nearest_that_gives_more_above_or_below(
    form: str, value: str, points: float, at: str | None, gain: float | None
) -> None:
    hit = compile_curve(form, decimals=1).segment_of(Decimal(value))
    expected = (Decimal(str(points)), at and Decimal(at), None if gain is None else Decimal(str(gain)))
    assert (hit.raw_points, hit.next_at, hit.gain_at_next) == expected


@pytest.mark.parametrize(
    ("form", "decimals"),
    [
        ("log(5; 100)", 0),
        ("log(0.5; 9.5)", 0),  # its cap is no count: the next one
        ("log_linear(1.5; 60)", 0),
        ("log_linear(60; 1.5)", 0),
        ("sqrt_linear(0; 55.55)", 1),
        ("sqrt_linear(40; 2.25)", 1),
        ("piecewise(0:0; 10:60; 20:40; 30:100)", 0),
        ("band(0; 6; 9; 20)", 1),
        ("lookup(1:10; 5:60; 7:100; otherwise:20)", 0),
        ("penalty(1:-30; 2.5:-60)", 1),
    ],
)
def test_the_next_edge_is_a_value_that_can_be_shown_and_gives_what_it_says(form: str, decimals: int) -> None:
    """Of every value from -5 to 105: who gets to the edge that is told gains just that, and where none is told
    nothing gives more.
    """
    curve, unit = compile_curve(form, decimals=decimals), Decimal(1).scaleb(-decimals)
    values = [step * unit for step in range(-5 * 10**decimals, 105 * 10**decimals)]
    best = max(curve.points_at(value) for value in values)
    for value in values:
        hit = curve.segment_of(value)
        assert (hit.next_at is None) == (hit.raw_points == best)
        if hit.next_at is not None:
            assert hit.next_at == hit.next_at.quantize(unit)
            assert curve.points_at(hit.next_at) - hit.raw_points == hit.gain_at_next
            assert hit.gain_at_next > 0


@pytest.mark.parametrize(
    ("form", "value", "at", "gain"),
    [
        ("log(5; 100)", "20", "100", "47.136"),  # 100 - 100 ln 5 / ln 21 = 100 - 52.863…, its chord a little lower
        ("log(0.5; 9.5)", "9", "10", "1.712"),
        ("log_linear(60; 1.5)", "2", "1", "7.799"),  # full from 1.5 down
        ("log_linear(60; 1.5)", "70", "1", "100"),
    ],
)
def test_the_next_edge_of_a_logarithm_is_its_end(form: str, value: str, at: str, gain: str) -> None:
    """Its inner knots are arithmetic. On paper the gain is of the logarithm, and a chord less than 0.2 away."""
    hit = compile_curve(form, decimals=0).segment_of(Decimal(value))
    assert hit.next_at == Decimal(at)
    assert hit.gain_at_next is not None
    assert abs(hit.gain_at_next - Decimal(gain)) < Decimal("0.2")


@pytest.mark.parametrize(
    ("form", "direction", "holds"),
    [
        ("step(1:30; 3:60)", "higher_better", True),
        ("step(1:60; 3:30)", "higher_better", False),
        ("step(1:60; 3:30)", "lower_better", False),  # below 1 it gives 0, so it first rises
        ("band(0; 1; 2; 3)", "higher_better", False),
        ("band(0; 1; 2; 3)", "range", True),
        ("bool(1:0; 0:100)", "boolean", False),
        ("penalty(1:-60; 2:-30)", "penalty", False),
        ("penalty(1:-30; 2:-60)", "penalty", True),
    ],
)
def test_order_is_proved_segment_by_segment(form: str, direction: Any, holds: bool) -> None:
    assert (compile_curve(form, decimals=0).breaks_order(direction) is None) is holds


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("linaer(0; 1)", "did you mean linear?"),
        ("linear 0 1", "not a curve"),
        ("linear(0)", "takes 2 numbers (a; b), found 1"),
        ("growth(1; 0)", "a < b must hold"),
        ("linear(0; 0)", "a and b must differ"),
        ("linear(0; NaN)", "not a plain decimal"),
        ("linear(0; 1e308)", "not a plain decimal"),
        ("linear(０; １)", "not a plain decimal"),
        ("linear(0; 10%)", "not a plain decimal"),
        ("linear(0; 1,000)", "not a plain decimal"),
        ("linear(0; 0.001)", "more than 2 decimals"),
        ("lookup(1:100)", "ends with otherwise:points"),
        ("lookup(1:100; 1:20; otherwise:0)", "stands twice"),
        ("per_item(0; 100)", "p > 0"),
        ("log_linear(0; 5)", "a and b above 0"),
        ("chosen(1:1-2)", "need a scheme with a tree"),
        ("piecewise(0:-5; 1:5)", "points of both signs"),
        ("step(3:30; 1:60)", "must ascend"),
        ("step(1:30; 1:60)", "must ascend"),
        ("step(1:101)", "outside -100 to 100"),
        ("step(1:-5)", "not negative"),
        ("step(1)", "threshold:points"),
        ("bool(1:100)", "points of both answers"),
        ("penalty(1:5)", "between -100 and 0"),
        ("log(0; 5)", "s > 0"),
        ("band(0; 2; 1; 3)", "a < b < c < d must hold"),
    ],
)
def test_refusals_say_what_is_wrong(form: str, message: str) -> None:
    with pytest.raises(CurveError) as refused:
        compile_curve(form, decimals=2)
    assert message in str(refused.value)
