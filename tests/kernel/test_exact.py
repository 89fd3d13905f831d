"""Decimals written as text become whole numbers and back without losing a digit, however many there are."""

from __future__ import annotations

from decimal import Decimal

import pytest

from include.kernel.exact import from_scaled, parse_decimal, to_scaled

LONGEST = "987654321098765432109876.123456789012"


def test_the_longest_number_keeps_all_its_digits() -> None:
    scaled = to_scaled(parse_decimal(LONGEST), 12)
    assert scaled == 987654321098765432109876123456789012
    assert str(from_scaled(scaled, 12)) == LONGEST


def test_a_digit_too_many_is_refused_behind_any_number_of_others() -> None:
    with pytest.raises(ValueError, match="more than 4 decimals"):
        to_scaled(Decimal("987654321098765432109876.12345"), 4)


@pytest.mark.parametrize("text", ["9" * 25, "0." + "1" * 13, "-" + "9" * 400])
def test_a_number_that_is_only_too_long_is_told_so(text: str) -> None:
    with pytest.raises(ValueError, match="more than 24 digits before the point or 12 after it"):
        parse_decimal(text)


@pytest.mark.parametrize("text", ["1e308", "NaN", "-Infinity", "１２", "12%", "1,200", "", "−5", " 5", "5.", ".5", "٣"])
def test_what_is_no_plain_decimal_is_told_so(text: str) -> None:
    with pytest.raises(ValueError, match="not a plain decimal"):
        parse_decimal(text)
