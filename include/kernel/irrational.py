"""Logarithms, roots and powers: computed in 120 digits, kept to 50 places, and compared by fewer digits.

>>> power(Fraction(1, 4), Fraction(1, 2))
Fraction(1, 2)
>>> third = power(Fraction(5), Fraction(1, 3))
>>> third**3 == 5, recognised(third**3)
(False, Fraction(5, 1))
"""

from __future__ import annotations

from decimal import Context, Decimal
from fractions import Fraction

PLACES = 50
DIGITS = Context(prec=120)
MOST_DIGITS = 60
"""Before the point: with the places that are kept and some to spare, no more fit into the digits."""
_SETTLED_DIGITS = 40
_SIMPLEST = 10**12
"""Below the line of a simple fraction: whatever has 12 places, and thirds, sevenths and the like."""
_EXACT_BITS = 150_000
"""A power is multiplied out up to this size; beyond it, it is computed like every other."""


class TooLarge(ArithmeticError):
    """A number of more digits than are computed. Its text names the function."""


def decimal_of(value: Fraction) -> Decimal:
    """A fraction in many digits."""
    return DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator))


def kept(value: Decimal) -> Fraction:
    """A computed number at the places that are kept."""
    return Fraction(DIGITS.quantize(value, Decimal(1).scaleb(-PLACES)))


def settled(value: Fraction) -> Fraction:
    """What is made of computed numbers, as it is compared with another: `recognised`, or cut to forty digits."""
    found = recognised(value)
    return found if found.denominator <= _SIMPLEST else round(value, _places(value))


def recognised(value: Fraction) -> Fraction:
    """What is made of computed numbers, as it is counted on with: a simple fraction where it is one to forty digits.

    Each of them is cut at the 50th place, so ln 8 / ln 2 is 2.99…9 or 3.00…01, and three logarithms of 2 less one of 8
    are not nothing. That noise lies behind the fortieth digit, whatever is multiplied, divided or raised, and nothing
    but being that fraction would bring a number so near to it. Any other number keeps the places it has.
    """
    simple = value.limit_denominator(_SIMPLEST)
    return simple if abs(simple - value) <= Fraction(10) ** -_places(value) else value


def _places(value: Fraction) -> int:
    """How many of forty digits lie behind the point."""
    return _SETTLED_DIGITS - len(str(abs(int(value))))


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
