"""A formula in plain fractions: the reference that the columns must equal, for explanations and tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction

from include.kernel.irrational import DIGITS, decimal_of, exponential, kept, power, recognised, settled
from include.schemes.expression import (
    Absolute,
    Arithmetic,
    Cagr,
    Case,
    Choice,
    Comparison,
    Constant,
    Irrational,
    IsNull,
    Logic,
    Measure,
    Node,
    Not,
    OneOf,
    Ratio,
    Value,
    reads_measure,
)


def node_value(
    node: Node,
    measures: Mapping[str, Decimal | Fraction | int | None],
    *,
    exact: bool = False,
    computed: bool = False,
) -> Value:
    """SQL's three-valued logic over fractions. Quotients stay whole; a rate of growth is `traced`, unless `exact`.

    `computed`: there are logarithms or roots in it or in what it reads; then a comparison is of `settled` numbers.
    """

    def read(part: Node) -> Value:
        return node_value(part, measures, exact=exact, computed=computed)

    def number(part: Node) -> Fraction | None:
        value = read(part)
        assert not isinstance(value, bool)
        return value

    def compared(part: Node) -> Fraction | None:
        value = number(part)
        return settled(value) if computed and value is not None else value

    def argument(part: Node) -> Fraction | None:
        value = number(part)
        return recognised(value) if computed and value is not None else value

    match node:
        case Constant(value=value):
            return value
        case Measure(name=name):
            held = measures[name]
            return None if held is None else Fraction(held)
        case Arithmetic(sign=sign, left=left, right=right):
            a, b = number(left), number(right)
            if a is None or b is None:
                return None
            return a * b if sign == "*" else a + b if sign == "+" else a - b
        case Comparison(sign=sign, left=left, right=right):
            return _compare(sign, compared(left), compared(right))
        case Logic(word=word, left=left, right=right):
            decisive = word == "or"
            parts = [read(left), read(right)]
            return decisive if decisive in parts else None if None in parts else not decisive
        case Not(inner=inner):
            value = read(inner)
            return None if value is None else not value
        case IsNull(inner=inner):
            return read(inner) is None
        case OneOf(inner=inner, options=options):
            found = [_compare("=", compared(inner), compared(option)) for option in options]
            return True if True in found else None if None in found else False
        case Case(whens=whens, otherwise=otherwise):
            for when, then in whens:
                answer = read(when)
                if answer is not False:
                    return read(then) if answer else None
            return read(otherwise)
        case Choice(function="coalesce", options=options):
            return next((v for v in (read(option) for option in options) if v is not None), None)
        case Choice(function=function, options=options):
            offered = [(number(option), option) for option in options]
            present = [v for v, _ in offered if v is not None]
            missing = any(v is None and reads_measure(option) for v, option in offered)
            if not present or (missing and not any(_measured(option, read) for v, option in offered if v is not None)):
                return None  # a number bounds what is held, and never stands in for what is not
            return min(present) if function == "least" else max(present)
        case Absolute(inner=inner):
            value = number(inner)
            return None if value is None else abs(value)
        case Ratio(numerator=numerator, denominator=denominator):
            above, below = number(numerator), argument(denominator)
            if above is None or not below:
                return None
            return above / below
        case Cagr(end=end, start=start, years=years):
            last, first = argument(end), argument(start)
            if last is None or first is None or first <= 0 or last < 0:
                return None
            if exact:
                return power(last / first, Fraction(1, years)) - 1
            return growth(last / first, years, node.quantity.decimals)
        case Irrational(function=function, arguments=arguments):
            known = [argument(part) for part in arguments]
            return None if None in known else irrational(function, [k for k in known if k is not None])
    raise AssertionError(f"no value for {type(node).__name__}")


def _measured(node: Node, read: Callable[[Node], Value]) -> bool:
    """Whether a number that is there is made of a measure: of a case or a `coalesce` what is taken decides."""
    if isinstance(node, Case):
        return _measured(next((then for when, then in node.whens if read(when)), node.otherwise), read)
    there = [part for part in node.children() if read(part) is not None]
    if isinstance(node, Choice) and node.function == "coalesce":
        there = there[:1]
    return isinstance(node, Measure) or any(_measured(part, read) for part in there)


def _compare(sign: str, left: Fraction | None, right: Fraction | None) -> bool | None:
    if left is None or right is None:
        return None
    return {
        "=": left == right,
        "<>": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[sign]


def growth(quotient: Fraction, years: int, decimals: int) -> Fraction:
    """quotient^(1/years) - 1, `traced` at `decimals`, from the exact integer root of (10^d)^n · quotient."""
    unit = 10 ** (decimals - 1)
    target = quotient * unit**years
    root = _integer_root(target.numerator // target.denominator, years)
    return Fraction(10 * (root - unit) + (root**years != target), 10 * unit)


def _integer_root(number: int, degree: int) -> int:
    """The largest r with r**degree <= number."""
    low, high = 0, 1 << (number.bit_length() // degree + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= number else (low, middle - 1)
    return low


def irrational(function: str, arguments: list[Fraction]) -> Fraction | None:
    """Outside its domain (ln of 0, a root of a negative number) a function has no value."""
    x = arguments[0]
    match function:
        case "ln":
            return kept(DIGITS.ln(decimal_of(x))) if x > 0 else None
        case "exp":
            return exponential(x)
        case "sqrt":
            return power(x, Fraction(1, 2)) if x >= 0 else None
        case "power":
            exponent = arguments[1]
            outside = (x < 0 and exponent.denominator != 1) or (x == 0 and exponent <= 0)
            return None if outside else power(x, exponent)
    raise AssertionError(f"no function {function}")
