"""Exact numbers: decimals written as text, scaled integers, and the one place where rounding happens (half up).

>>> ratio_half_up(1, 3, decimals=4)
3333
>>> ratio_half_up(-1, 2, decimals=0)   # half away from zero, as 四舍五入 does on both sides
-1
"""

from __future__ import annotations

import re
from decimal import Context, Decimal
from fractions import Fraction

_PLAIN = re.compile(r"[+-]?\d{1,24}(\.\d{1,12})?", re.ASCII)
_LONG = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_WIDE = Context(prec=200)  # the usual context would round what has more than 28 digits


def parse_decimal(text: str) -> Decimal:
    """A plain decimal (`-12.50`) → Decimal; NaN, Infinity, 1e5, 1,234, １２, '', 12%, minus zero raise ValueError."""
    if not _PLAIN.fullmatch(text):
        what = "more than 24 digits before the point or 12 after it" if _LONG.fullmatch(text) else "not a plain decimal"
        raise ValueError(f"{what}: {text!r:.40}")
    value = Decimal(text)
    if value == 0 and text.startswith("-"):
        raise ValueError(f"minus zero: {text!r:.40}; write 0, or the negative number that is meant")
    return value


def to_scaled(value: Decimal, decimals: int) -> int:
    """Decimal → integer in units of 10**-decimals; refuses to lose a digit."""
    scaled = value.scaleb(decimals, _WIDE)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"more than {decimals} decimals")
    return int(scaled)


def from_scaled(scaled: int, decimals: int) -> Decimal:
    """Inverse of `to_scaled`, with trailing zeros kept, so that 12500 at 3 decimals prints 12.500."""
    return Decimal(scaled).scaleb(-decimals, _WIDE).quantize(Decimal(1).scaleb(-decimals), context=_WIDE)


def traced(value: Fraction, decimals: int) -> int:
    """The value in units of 10**-decimals, cut down; its last place says only whether anything follows: 1, or 0.

    So however long the fraction is, it compares with a number of fewer places, and rounds to them, as it would whole.

    >>> traced(Fraction(3, 10), 4), traced(Fraction(2999999, 10**7), 4), traced(Fraction(1, 3), 4)
    (3000, 2991, 3331)
    """
    cut = value * 10 ** (decimals - 1)
    return 10 * (cut.numerator // cut.denominator) + (cut.denominator != 1)


def ratio_half_up(numerator: int, denominator: int, decimals: int) -> int:
    """numerator / denominator in units of 10**-decimals, rounded half away from zero. Exact for any size."""
    if denominator == 0:
        raise ZeroDivisionError("ratio with a zero denominator")
    sign = -1 if (numerator < 0) != (denominator < 0) else 1
    scaled, divisor = abs(numerator) * 10**decimals, abs(denominator)
    return sign * ((2 * scaled + divisor) // (2 * divisor))
