"""The tree of a formula: what a node says, and the decimals and the unit of the number that it gives."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from math import prod

Unit = tuple[tuple[str, int], ...]
Value = Fraction | bool | None

NO_UNIT: Unit = ()
_DIMENSIONLESS = {"", "比例", "倍", "%"}
_MULTIPLE = re.compile(r"^[十百千万亿]+(?=.)")
_SIZES = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8}
_SAME_DIMENSION = {"天": "时间", "月": "时间", "年": "时间", "次": "项"}


class FormulaError(ValueError):
    """What is wrong with an expression; the compiler adds the file and the key."""


GUARD = 2
"""A quotient or a rate of growth carries so many places more than are asked for, the last of them its trace
(`kernel.exact.traced`): on which side of a line it lies, and how it rounds, is decided as if it were written out."""


@dataclass(frozen=True)
class Quantity:
    """A number of `decimals` places in a unit. A literal has unit None: it fits beside any unit.

    `words`: the codes of a category, which travels as the place of its word, from 1.
    """

    decimals: int
    unit: Unit | None
    words: tuple[str, ...] = ()


BOOLEAN = "yes/no"
Kind = Quantity | str


@dataclass(frozen=True)
class Node:
    kind: Kind

    @property
    def quantity(self) -> Quantity:
        if not isinstance(self.kind, Quantity):
            raise FormulaError("a yes/no stands where a number is needed")
        return self.kind

    def children(self) -> Iterator[Node]:
        for field in fields(self):
            yield from _nodes(getattr(self, field.name))


def _nodes(value: object) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from _nodes(part)


@dataclass(frozen=True)
class Constant(Node):
    value: Value


@dataclass(frozen=True)
class Measure(Node):
    name: str


@dataclass(frozen=True)
class Arithmetic(Node):
    sign: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Comparison(Node):
    sign: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Logic(Node):
    word: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Not(Node):
    inner: Node


@dataclass(frozen=True)
class IsNull(Node):
    inner: Node


@dataclass(frozen=True)
class OneOf(Node):
    inner: Node
    options: tuple[Node, ...]


@dataclass(frozen=True)
class Case(Node):
    whens: tuple[tuple[Node, Node], ...]
    otherwise: Node


@dataclass(frozen=True)
class Choice(Node):
    """coalesce, least, greatest"""

    function: str
    options: tuple[Node, ...]


@dataclass(frozen=True)
class Absolute(Node):
    inner: Node


@dataclass(frozen=True)
class Ratio(Node):
    numerator: Node
    denominator: Node


@dataclass(frozen=True)
class Irrational(Node):
    """ln, exp, sqrt, power: only where formulas are computed in exact fractions"""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Cagr(Node):
    end: Node
    start: Node
    years: int


def parse_unit(text: str) -> Unit:
    """`元/人` → {元: 1, 人: -1}. A multiple (万元) is a unit of its own; 比例 and 倍 have none."""
    powers: dict[str, int] = {}
    for place, part in enumerate(text.split("/")):
        symbol = part.strip()
        if symbol not in _DIMENSIONLESS:
            powers[symbol] = powers.get(symbol, 0) + (1 if place == 0 else -1)
    return _unit(powers)


def holds_quotient(node: Node) -> bool:
    """Does its number depend on a quotient or a rate of growth?"""
    return any(isinstance(part, Ratio | Cagr) for part in walk(node))


def combines_quotients(node: Node) -> bool:
    """Is it arithmetic over quotients? A trace says on which side one quotient lies; it cannot be added or multiplied.

    Such a node is computed in fractions, and gets its own trace at the end.
    """
    return isinstance(node, Arithmetic | Ratio) and any(holds_quotient(part) for part in node.children())


def reads_measure(node: Node) -> bool:
    """Whether its number may be made of a measure."""
    return any(isinstance(part, Measure) for part in made_of(node))


def is_null(node: Node) -> bool:
    return isinstance(node, Constant) and node.value is None


def _unit(powers: Mapping[str, int]) -> Unit:
    return tuple(sorted((symbol, power) for symbol, power in powers.items() if power))


def unit_product(left: Unit | None, right: Unit | None, power: int) -> Unit | None:
    """The unit of left x right (power 1) or left / right (-1). Neither makes sense of 万元 beside 元."""
    if left is None and right is None:
        return None
    powers = dict(left or ())
    for symbol, exponent in right or ():
        for other in powers:
            if other != symbol and _base(other) == _base(symbol):
                what = "*" if power > 0 else "ratio"
                raise FormulaError(f"unit mismatch: {other} and {symbol} meet in `{what}`")
        powers[symbol] = powers.get(symbol, 0) + power * exponent
    return _unit(powers)


def multiplied_out(unit: Unit | None, factor: Value) -> Unit | None:
    """The unit after a plain factor: 10000 x 万元 is 元. Any other factor leaves it."""
    for symbol, power in unit or ():
        prefix = _MULTIPLE.match(symbol)
        if prefix and factor == Fraction(prod(_SIZES[one] for one in prefix[0])) ** power:
            return _unit({**dict(unit or ()), symbol: 0, _base(symbol): power})
    return unit


def fits(found: Unit | None, declared: Unit) -> bool:
    """A plain factor may have made 件/人 into 件/百人, but a multiple that the measures bring must be declared."""
    if found is None:
        return True

    def dimension(unit: Unit) -> Unit:
        powers: dict[str, int] = {}
        for symbol, power in unit:
            name = _SAME_DIMENSION.get(_base(symbol), _base(symbol))
            powers[name] = powers.get(name, 0) + power
        return _unit(powers)

    multiples = {symbol for symbol, _ in found if _MULTIPLE.match(symbol)}
    return dimension(found) == dimension(declared) and multiples <= {symbol for symbol, _ in declared}


def _base(symbol: str) -> str:
    return _MULTIPLE.sub("", symbol)


def show_unit(unit: Unit | None) -> str:
    if not unit:
        return "比例"
    above = "·".join(symbol for symbol, power in unit for _ in range(max(power, 0)))
    below = "·".join(symbol for symbol, power in unit for _ in range(max(-power, 0)))
    return f"{above or '1'}/{below}" if below else above


def walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children():
        yield from walk(child)


def made_of(node: Node) -> Iterator[Node]:
    """The node and the parts that its number is made of: what a case asks is not among them."""
    yield node
    parts = [outcome for _, outcome in node.whens] + [node.otherwise] if isinstance(node, Case) else node.children()
    for part in parts:
        yield from made_of(part)


def may_give_nothing(node: Node) -> bool:
    """Whether it may be without a value although all that it reads is held: a division by zero, the logarithm of one, a
    case without `else`.
    """
    return any(isinstance(part, Ratio | Cagr | Irrational) or is_null(part) for part in walk(node))
