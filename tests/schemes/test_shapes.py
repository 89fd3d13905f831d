"""Every form of the curve grammar on paper, exactly, at its edges and beside them: what a scheme with a tree scores."""

from __future__ import annotations

from fractions import Fraction

import pytest

from include.schemes.shapes import FORMS, Bands, form_name, read_shape

ON_PAPER = {
    "linear(0; 0.06)": {"-1": 0, "0": 0, "0.01": "50/3", "0.03": 50, "0.06": 100, "7": 100},
    "linear(0.3; 0.1)": {"0.31": 0, "0.3": 0, "0.2": 50, "0.1": 100, "0": 100},
    "growth(-0.2; 0.3)": {"-0.2": 0, "0": 40, "0.3": 100},
    "piecewise(0:0; 1:20; 3:100)": {"-1": 0, "0": 0, "0.5": 10, "1": 20, "2": 60, "3": 100, "4": 100},
    "band(0; 1; 2; 4)": {"0": 0, "0.5": 50, "1": 100, "1.5": 100, "2": 100, "2.5": 75, "4": 0, "5": 0},
    "step(>=0.1:10; >=0.3:100)": {"0.09999999": 0, "0.1": 10, "0.29999999": 10, "0.3": 100},
    "step(>0.1:10; >0.3:100)": {"0.1": 0, "0.10000001": 10, "0.3": 10, "0.30000001": 100},
    "step(below:100; >0.55:50; >0.75:0)": {"0.55": 100, "0.55000001": 50, "0.75": 50, "0.75000001": 0},
    "per_item(30; 100)": {"-1": 0, "0.99": 0, "1": 30, "1.99": 30, "3": 90, "3.5": 90, "4": 100, "99": 100},
    "lookup(1:10; 3:100; otherwise:5)": {"0.9": 5, "1": 10, "1.1": 5, "2": 5, "3": 100, "3.1": 5},
    "bool(1:100; 0:20)": {"0": 20, "1": 100},
    "penalty(>=1:-10; >=2:-100)": {"0.9": 0, "1": -10, "1.9": -10, "2": -100},
    "given(0; 100)": {"0": 0, "37.5": "75/2", "100": 100},
    "sqrt_linear(4; 100)": {"4": 0, "36": 50, "100": 100},  # (6 - 2) / (10 - 2)
    "log_linear(100; 10000)": {"100": 0, "1000": 50, "10000": 100},
    "log_linear(10000; 100)": {"100": 100, "1000": 50, "10000": 0, "20000": 0},  # less is better
    "sqrt_linear(9; 1)": {"1": 100, "4": 50, "9": 0},  # (3 - 2) / (3 - 1)
    "log(1; 99)": {"-5": 0, "0": 0, "9": 50, "99": 100, "100": 100},  # ln 10 / ln 100
}


@pytest.mark.parametrize(("form", "value"), [(form, value) for form, points in ON_PAPER.items() for value in points])
def test_a_form_gives_what_paper_gives(form: str, value: str) -> None:
    shape = read_shape(form)
    assert not isinstance(shape, Bands)
    assert shape.at(Fraction(value)) == Fraction(ON_PAPER[form][value])


@pytest.mark.parametrize(("value", "band"), [("0.99", (0, 0)), ("1", (1, 6)), ("1.99", (1, 6)), ("2", (7, 30))])
def test_an_expert_chooses_inside_the_band_that_is_reached(value: str, band: tuple[int, int]) -> None:
    shape = read_shape("chosen(>=1:1-6; >=2:7-30)")
    assert shape.at(Fraction(value)) == band


def test_no_form_is_without_paper() -> None:
    assert {form_name(form) for form in ON_PAPER} | {"chosen"} == set(FORMS)
