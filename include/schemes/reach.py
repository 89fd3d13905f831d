"""What a formula can give at all: an interval that holds every value it may take, worked out from its tree alone.

A measure may be anything, a yes/no measure 0 or 1. So `least(x, 3)` never passes 3, and a curve that asks for 5 gives
nobody its full points. Where nothing can be said the end is open (None).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from include.schemes.expression import (
    BOOLEAN,
    Absolute,
    Arithmetic,
    Case,
    Choice,
    Constant,
    Measure,
    Node,
    Quantity,
    is_null,
    parse_unit,
)

YES_NO = parse_unit("是否")


@dataclass(frozen=True)
class Reach:
    """From `low` to `high`; None is without end."""

    low: Fraction | None
    high: Fraction | None


ANY = Reach(None, None)
ZERO_OR_ONE = Reach(Fraction(0), Fraction(1))


def reach(node: Node) -> Reach:
    """An interval that holds every value of the node; not always the narrowest."""
    if node.kind == BOOLEAN:
        return ZERO_OR_ONE
    match node:
        case Constant(value=value) if value is not None:
            return Reach(Fraction(value), Fraction(value))
        case Measure(kind=Quantity(unit=unit)) if unit == YES_NO:
            return ZERO_OR_ONE
        case Case(whens=whens, otherwise=otherwise):
            return _around([outcome for _, outcome in whens] + [otherwise])
        case Choice(function="coalesce", options=options):
            return _around(options)
        case Choice(function=function, options=options):
            return _extreme(function, [reach(option) for option in options])
        case Absolute(inner=inner):
            found = reach(inner)
            ends = None if found.low is None or found.high is None else max(abs(found.low), abs(found.high))
            return Reach(Fraction(0), ends)
        case Arithmetic(sign=sign, left=left, right=right):
            return _ARITHMETIC[sign](reach(left), reach(right))
    return ANY


def _around(nodes: Iterable[Node]) -> Reach:
    """The smallest interval around all of them; NULL is no value."""
    return _hull([reach(node) for node in nodes if not is_null(node)])


def _hull(found: list[Reach]) -> Reach:
    lows, highs = [each.low for each in found], [each.high for each in found]
    return Reach(
        None if None in lows else min(low for low in lows if low is not None),
        None if None in highs else max(high for high in highs if high is not None),
    )


def _extreme(function: str, found: list[Reach]) -> Reach:
    """`least` and `greatest` skip NULL, so any option may be alone: only what bounds every option bounds the result,
    beside a constant, which is never NULL."""
    around = _hull(found)
    constants = [each.low for each in found if each.low is not None and each.low == each.high]
    if not constants:
        return around
    if function == "least":
        return Reach(around.low, min(constants))
    return Reach(max(constants), around.high)


def _plus(left: Reach, right: Reach) -> Reach:
    def added(a: Fraction | None, b: Fraction | None) -> Fraction | None:
        return None if a is None or b is None else a + b

    return Reach(added(left.low, right.low), added(left.high, right.high))


def _minus(left: Reach, right: Reach) -> Reach:
    def negative(end: Fraction | None) -> Fraction | None:
        return None if end is None else -end

    return _plus(left, Reach(negative(right.high), negative(right.low)))


def _times(left: Reach, right: Reach) -> Reach:
    ends = [left.low, left.high, right.low, right.high]
    if None in ends:
        return ANY
    products = [a * b for a, b in product(ends[:2], ends[2:]) if a is not None and b is not None]
    return Reach(min(products), max(products))


_ARITHMETIC: dict[str, Callable[[Reach, Reach], Reach]] = {"+": _plus, "-": _minus, "*": _times}
