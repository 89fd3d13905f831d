"""Logarithms, roots and powers: computed in 120 digits, kept to 50 places, so that a result which is exact stays exact.

>>> power(Fraction(1, 4), Fraction(1, 2))
Fraction(1, 2)
"""

from __future__ import annotations

from decimal import Context, Decimal
from fractions import Fraction

PLACES = 50
DIGITS = Context(prec=120)
MOST_DIGITS = 60
"""Before the point: with the places that are kept and some to spare, no more fit into the digits."""
_EXACT_BITS = 150_000
"""A power is multiplied out up to this size; beyond it, it is computed like every other."""


class TooLarge(ArithmeticError):
    """A number of more digits than are computed. Its text names the function."""


def decimal_of(value: Fraction) -> Decimal:
    """A fraction in many digits."""
    return DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator))


def kept(value: Decimal) -> Fraction:
    """A computed number at the places that are kept: the noise of the last digits goes, ln 4 / ln 2 is 2."""
    return Fraction(DIGITS.quantize(value, Decimal(1).scaleb(-PLACES)))


def power(base: Fraction, exponent: Fraction) -> Fraction:
    """base ** exponent; exact for whole exponents. The base is not negative, unless the exponent is whole."""
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if exponent.denominator == 1 and abs(exponent.numerator) * bits <= _EXACT_BITS:
        return _within(base**exponent.numerator, "power")
    if base == 0:
        return Fraction(0)
    logarithm = DIGITS.multiply(decimal_of(exponent), DIGITS.ln(decimal_of(abs(base))))
    size = _raised(logarithm, "power")
    return -size if base < 0 and exponent.numerator % 2 else size


def exponential(value: Fraction) -> Fraction:
    """e ** value."""
    return _raised(decimal_of(value), "exp")


def _raised(logarithm: Decimal, function: str) -> Fraction:
    """e ** logarithm, unless it is too large; what is too small for the places is 0."""
    if logarithm > DIGITS.multiply(Decimal(MOST_DIGITS + 1), DIGITS.ln(Decimal(10))):
        raise TooLarge(_said(function))
    return _within(kept(DIGITS.exp(logarithm)), function)


def _within(value: Fraction, function: str) -> Fraction:
    if abs(value) >= 10**MOST_DIGITS:
        raise TooLarge(_said(function))
    return value


def _said(function: str) -> str:
    return f"{function}(…) gives a number of more than {MOST_DIGITS} digits before the point"
