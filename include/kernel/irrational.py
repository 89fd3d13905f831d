"""Logarithms, roots and powers: computed in 120 digits, kept to 50 places, so that a result which is exact stays exact.

>>> power(Fraction(1, 4), Fraction(1, 2))
Fraction(1, 2)
"""

from __future__ import annotations

from decimal import Context, Decimal
from fractions import Fraction

PLACES = 50
DIGITS = Context(prec=120)


def decimal_of(value: Fraction) -> Decimal:
    """A fraction in many digits."""
    return DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator))


def kept(value: Decimal) -> Fraction:
    """A computed number at the places that are kept: the noise of the last digits goes, ln 4 / ln 2 is 2."""
    return Fraction(DIGITS.quantize(value, Decimal(1).scaleb(-PLACES)))


def power(base: Fraction, exponent: Fraction) -> Fraction:
    """base ** exponent; exact for whole exponents. The base is not negative, unless the exponent is whole."""
    if exponent.denominator == 1 and abs(exponent.numerator) <= 1000:
        return base**exponent.numerator
    if base == 0:
        return Fraction(0)
    return kept(DIGITS.exp(DIGITS.multiply(decimal_of(exponent), DIGITS.ln(decimal_of(base)))))
