"""What a formula can give at all: an interval that holds every value it may take, worked out from its tree.

A measure may be anything, a yes/no measure 0 or 1, unless more is known of it. So `least(x, 3)` never passes 3, and a
curve that asks for 5 gives nobody its full points. Where nothing can be said the end is open (None).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product

from include.kernel.irrational import TooLarge, recognised
from include.schemes.expression import (
    BOOLEAN,
    Absolute,
    Arithmetic,
    Case,
    Choice,
    Comparison,
    Constant,
    Irrational,
    Logic,
    Measure,
    Node,
    Not,
    OneOf,
    Quantity,
    Ratio,
    is_null,
    may_give_nothing,
    parse_unit,
    walk,
)
from include.schemes.formula_exact import irrational

YES_NO = parse_unit("是否")


@dataclass(frozen=True)
class Reach:
    """From `low` to `high`; None is without end. `lacking`: it may be nothing as well."""

    low: Fraction | None
    high: Fraction | None
    lacking: bool = field(default=False, kw_only=True)


ANY = Reach(None, None)
ZERO_OR_ONE = Reach(Fraction(0), Fraction(1))


NOTHING_KNOWN: Mapping[str, Reach] = {}


def reach(node: Node, known: Mapping[str, Reach] = NOTHING_KNOWN) -> Reach:
    """An interval that holds every value of the node, its measures being within what is `known` of them; not always the
    narrowest, unless every measure stands in it once.
    """
    if node.kind == BOOLEAN:
        return ZERO_OR_ONE

    def of(part: Node) -> Reach:
        return reach(part, known)

    def around(parts: Iterable[Node]) -> Reach:
        """The smallest interval around all of them; NULL is no value."""
        return _hull([of(part) for part in parts if not is_null(part)])

    match node:
        case Constant(value=value) if value is not None:
            return Reach(Fraction(value), Fraction(value))
        case Measure(name=name) if name in known:
            return known[name]
        case Measure(kind=Quantity(unit=unit)) if unit == YES_NO:
            return ZERO_OR_ONE
        case Case(whens=whens, otherwise=otherwise):
            return around([outcome for _, outcome in whens] + [otherwise])
        case Choice(function="coalesce", options=options):
            first_held = next((at for at, option in enumerate(options) if _is_held(option, known)), len(options))
            return around(options[: first_held + 1])
        case Choice(function=function, options=options):
            return _extreme(
                function, [of(option) for option in options], [of(o) for o in options if _is_held(o, known)]
            )
        case Absolute(inner=inner):
            found = of(inner)
            if found.low is None or found.high is None:
                return Reach(Fraction(0), None)
            nearest = Fraction(0) if found.low <= 0 <= found.high else min(abs(found.low), abs(found.high))
            return Reach(nearest, max(abs(found.low), abs(found.high)))
        case Arithmetic(sign=sign, left=left, right=right):
            return _recognised(_ARITHMETIC[sign](of(left), of(right)))
        case Ratio(numerator=numerator, denominator=denominator):
            return _recognised(_over(of(numerator), of(denominator)))
        case Irrational(arguments=[base, *exponents]):
            return _recognised(_monotone(node, of(base), [of(exponent) for exponent in exponents]))
    return ANY


def may_hold(node: Node, known: Mapping[str, Reach] = NOTHING_KNOWN) -> bool:
    """Whether a condition can be met at all, its measures being within what is `known` of them: a no is sure."""
    match node:
        case Constant(value=bool(value)):
            return value
        case Logic(word="and", left=left, right=right):
            return may_hold(left, known) and may_hold(right, known)
        case Logic(left=left, right=right):
            return may_hold(left, known) or may_hold(right, known)
        case Not(inner=Comparison(sign=sign, left=left, right=right)):
            return _may_compare(_OPPOSITE[sign], reach(left, known), reach(right, known))
        case Comparison(sign=sign, left=left, right=right):
            return _may_compare(sign, reach(left, known), reach(right, known))
        case OneOf(inner=inner, options=options):
            return any(_may_compare("=", reach(inner, known), reach(option, known)) for option in options)
    return True


_OPPOSITE = {">=": "<", ">": "<=", "<=": ">", "<": ">=", "=": "<>", "<>": "="}


def _may_compare(sign: str, left: Reach, right: Reach) -> bool:
    if sign in ("<", "<="):
        left, right, sign = right, left, ">" if sign == "<" else ">="
    above = left.high is None or right.low is None or left.high > right.low
    equal = above or left.high == right.low
    if sign == "=":
        return equal and _may_compare(">=", right, left)
    return above if sign == ">" else equal if sign == ">=" else True


def _recognised(found: Reach) -> Reach:
    """Without the noise of logarithms and roots, which no value has either."""
    return Reach(*(None if end is None else recognised(end) for end in (found.low, found.high)))


def _hull(found: list[Reach]) -> Reach:
    lows, highs = [each.low for each in found], [each.high for each in found]
    return Reach(
        None if None in lows else min(low for low in lows if low is not None),
        None if None in highs else max(high for high in highs if high is not None),
    )


def _is_held(node: Node, known: Mapping[str, Reach]) -> bool:
    """Never NULL, so far as is known: a measure is held where it is one number."""
    read = [known.get(part.name, ANY) for part in walk(node) if isinstance(part, Measure)]
    sure = all(span.low is not None and span.low == span.high and not span.lacking for span in read)
    return sure and not may_give_nothing(node)


def _extreme(function: str, found: list[Reach], held: list[Reach]) -> Reach:
    """`least` and `greatest` skip NULL, so any option may be alone: only what bounds every option bounds the result,
    beside one that is `held`.
    """
    around = _hull(found)
    if function == "least":
        return Reach(around.low, min([one.high for one in held if one.high is not None], default=around.high))
    return Reach(max([one.low for one in held if one.low is not None], default=around.low), around.high)


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


def _over(above: Reach, below: Reach) -> Reach:
    """A quotient; a zero below the line gives no value, and values as large as you like beside it."""
    if below.low is None or below.high is None or below.low <= 0 <= below.high:
        return ANY
    return _times(above, Reach(1 / below.high, 1 / below.low))


def _monotone(node: Irrational, base: Reach, exponents: list[Reach]) -> Reach:
    """ln, exp, sqrt, and a power whose exponent is one number, between their values at both ends of the base."""
    fixed = [exponent.low for exponent in exponents if exponent.low is not None and exponent.low == exponent.high]
    if base.low is None or base.high is None or len(fixed) != len(exponents):
        return ANY
    if node.function == "power" and base.low < 0:
        return ANY
    low = max(base.low, Fraction(0)) if node.function == "sqrt" else base.low
    try:
        ends = [irrational(node.function, [end, *fixed]) for end in (low, base.high)]
    except TooLarge:
        return ANY
    known = [end for end in ends if end is not None]
    return Reach(min(known), max(known)) if len(known) == 2 else ANY


_ARITHMETIC: dict[str, Callable[[Reach, Reach], Reach]] = {"+": _plus, "-": _minus, "*": _times}
