"""Formulas: a small SQL expression over measures, read against an allow-list, with exact numbers and a unit check.

The text is parsed by sqlglot into a tree of our own. Two backends read the same tree: `sql` writes exact integer
arithmetic for DuckDB (every number is a HUGEINT in units of 10**-decimals; an overflow is an error, never a wrap),
`evaluate` computes with fractions in plain Python and is the reference for explanations and tests.

Allowed: numbers, measures, `+ - *`, comparisons, `and or not`, `is [not] null`, `in`, `case when`, `coalesce`, `least`,
`greatest` (both skip NULL), `abs`, `ratio(a, b)` and `cagr(end, start, years)`. `/` is refused: a quotient must say
where it is rounded, and `ratio` rounds half up to the indicator's decimals. A NULL or zero denominator gives NULL (not
held); a formula that wants another outcome says so with `case`. `cagr` needs start > 0 and end >= 0, else NULL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from fractions import Fraction

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from include.kernel.exact import from_scaled, parse_decimal, ratio_half_up
from include.schemes.reading import nearest

Unit = tuple[tuple[str, int], ...]
Value = Fraction | bool | None

MAX_DECIMALS = 18
MAX_YEARS = 4
_FUNCTIONS = ("abs", "case", "cagr", "coalesce", "greatest", "least", "ratio")
_NO_UNIT: Unit = ()
_DIMENSIONLESS = {"", "比例", "倍", "%"}
_MULTIPLE = re.compile(r"^(百万|千万|十|百|千|万|亿)(?=.)")
_SAME_DIMENSION = {"天": "时间", "月": "时间", "年": "时间"}


class FormulaError(ValueError):
    """What is wrong with an expression; the compiler adds the file and the key."""


@dataclass(frozen=True)
class Quantity:
    """A number of `decimals` places in a unit. A literal has unit None: it fits beside any unit."""

    decimals: int
    unit: Unit | None


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
class Cagr(Node):
    end: Node
    start: Node
    years: int


@dataclass(frozen=True)
class Formula:
    """A checked expression: its tree, the measures it reads, and the decimals of its result (0 for a yes/no)."""

    text: str
    root: Node
    inputs: tuple[str, ...]
    decimals: int

    @property
    def is_condition(self) -> bool:
        return self.root.kind == BOOLEAN

    def sql(self) -> str:
        """The value as HUGEINT in units of 10**-decimals; a yes/no stays BOOLEAN."""
        if self.is_condition:
            return _sql(self.root)
        return _sql_scaled(self.root, self.decimals)

    def evaluate(self, measures: Mapping[str, Decimal | int | None]) -> Decimal | bool | None:
        """The value for one enterprise, exactly; the reference that `sql` must equal."""
        value = _evaluate(self.root, measures)
        if value is None or isinstance(value, bool):
            return value
        return from_scaled(ratio_half_up(value.numerator, value.denominator, self.decimals), self.decimals)


def parse_unit(text: str) -> Unit:
    """`元/人` → {元: 1, 人: -1}. Multiples (百人, 百万元) share the unit; 比例 and 倍 have none."""
    powers: dict[str, int] = {}
    for place, part in enumerate(text.split("/")):
        symbol = _MULTIPLE.sub("", part.strip())
        if symbol not in _DIMENSIONLESS:
            powers[symbol] = powers.get(symbol, 0) + (1 if place == 0 else -1)
    return _unit(powers)


def compile_formula(text: str, known: Mapping[str, Quantity], *, decimals: int, unit: str | None = None) -> Formula:
    """Read `text` over the `known` measures; `ratio` and `cagr` round to `decimals`, and so does the result.

    With `unit`, the result must be of it (days may become years: 天, 月 and 年 are one dimension).
    """
    try:
        tree = sqlglot.parse_one(text, dialect="duckdb")
    except SqlglotError as error:
        reason = getattr(error, "errors", None) or [{"description": "unreadable"}]
        raise FormulaError(f"not an expression: {text!r:.80} ({reason[0]['description']})") from None
    root = _Reader(known, decimals).read(tree)
    if isinstance(root.kind, Quantity):
        if unit is not None and not _fits(root.kind.unit, parse_unit(unit)):
            raise FormulaError(f"gives {_show(root.kind.unit)}, the indicator's unit is {unit}")
    elif unit not in (None, "是否"):
        raise FormulaError(f"gives a yes/no, the indicator's unit is {unit}")
    inputs = tuple(dict.fromkeys(node.name for node in _walk(root) if isinstance(node, Measure)))
    return Formula(text, root, inputs, decimals)


def compile_condition(text: str, known: Mapping[str, Quantity], *, decimals: int = 6) -> Formula:
    """Read a yes/no question; quotients in it are rounded to `decimals`."""
    formula = compile_formula(text, known, decimals=decimals)
    if not formula.is_condition:
        raise FormulaError(f"is a number, not a yes/no question: {text!r:.80}")
    return formula


# --- reading -----------------------------------------------------------------------------------------------------

_COMPARISONS: dict[type[exp.Expression], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}


class _Reader:
    """sqlglot's tree → ours. Whatever is not named here is refused."""

    def __init__(self, known: Mapping[str, Quantity], decimals: int) -> None:
        self.known, self.decimals = known, decimals

    def read(self, tree: exp.Expression) -> Node:
        kind = type(tree)
        if kind in _COMPARISONS:
            left, right = self.number(tree.this), self.number(tree.expression)
            _same_unit([left, right], _COMPARISONS[kind])
            return Comparison(BOOLEAN, _COMPARISONS[kind], left, right)
        reader = _READERS.get(kind)
        if reader is None:
            raise FormulaError(self.refusal(tree))
        return reader(self, tree)

    def refusal(self, tree: exp.Expression) -> str:
        if isinstance(tree, exp.Div | exp.IntDiv | exp.Mod):
            return "`/` is not exact; write ratio(a, b), which rounds half up to the indicator's decimals"
        if isinstance(tree, exp.Func):
            name = (tree.name if isinstance(tree, exp.Anonymous) else tree.sql_name()).lower()
            near = nearest(name, list(_FUNCTIONS))
            hint = f" (did you mean {near}?)" if near else ""
            return f"unknown function {name!r}{hint}; allowed are {', '.join(_FUNCTIONS)}"
        return f"{type(tree).__name__.lower()} is not allowed: {tree.sql()!r:.60}"

    def number(self, tree: exp.Expression) -> Node:
        node = self.read(tree)
        _ = node.quantity
        return node

    def condition(self, tree: exp.Expression) -> Node:
        node = self.read(tree)
        if node.kind != BOOLEAN:
            raise FormulaError(f"a number stands where a yes/no is needed: {tree.sql()!r:.60}")
        return node

    def column(self, tree: exp.Column) -> Node:
        if tree.table:
            raise FormulaError(f"name the measure alone: {tree.sql()!r:.60}")
        if tree.name not in self.known:
            near = nearest(tree.name, list(self.known))
            raise FormulaError(f"unknown measure {tree.name!r}" + (f" (did you mean {near}?)" if near else ""))
        return Measure(self.known[tree.name], tree.name)

    def literal(self, tree: exp.Literal) -> Node:
        if tree.is_string:
            raise FormulaError(f"text is not allowed: {tree.sql()!r:.60}")
        try:
            value = parse_decimal(tree.this)
        except ValueError as error:
            raise FormulaError(str(error)) from None
        return _constant(value)

    def negative(self, tree: exp.Neg) -> Node:
        inner = self.number(tree.this)
        return _arithmetic("-", _constant(Decimal(0)), inner)

    def arithmetic(self, tree: exp.Binary) -> Node:
        sign = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*"}[type(tree)]
        return _arithmetic(sign, self.number(tree.this), self.number(tree.expression))

    def logic(self, tree: exp.Binary) -> Node:
        word = "and" if isinstance(tree, exp.And) else "or"
        return Logic(BOOLEAN, word, self.condition(tree.this), self.condition(tree.expression))

    def is_null(self, tree: exp.Is) -> Node:
        if not isinstance(tree.expression, exp.Null):
            raise FormulaError(f"only `is null` and `is not null` are allowed: {tree.sql()!r:.60}")
        return IsNull(BOOLEAN, self.read(tree.this))

    def one_of(self, tree: exp.In) -> Node:
        if not tree.expressions:
            raise FormulaError("`in` needs a list of numbers")
        inner, options = self.number(tree.this), tuple(self.number(option) for option in tree.expressions)
        _same_unit([inner, *options], "in")
        return OneOf(BOOLEAN, inner, options)

    def case(self, tree: exp.Case) -> Node:
        if tree.this is not None:
            raise FormulaError("write `case when <condition> then …`, not `case <value> when …`")
        whens = tuple((self.condition(when.this), self.read(when.args["true"])) for when in tree.args["ifs"])
        default = tree.args.get("default")
        otherwise = self.read(default) if default is not None else Constant(Quantity(0, None), None)
        outcomes = [outcome for _, outcome in whens] + [otherwise]
        if all(outcome.kind == BOOLEAN or _is_null(outcome) for outcome in outcomes):
            return Case(BOOLEAN, whens, otherwise)
        return Case(_same_unit(outcomes, "case"), whens, otherwise)

    def choice(self, tree: exp.Func) -> Node:
        function = tree.sql_name().lower()
        options = tuple(self.read(part) for part in [tree.this, *tree.expressions])
        if function == "coalesce" and all(option.kind == BOOLEAN for option in options):
            return Choice(BOOLEAN, function, options)
        return Choice(_same_unit(options, function), function, options)

    def absolute(self, tree: exp.Abs) -> Node:
        inner = self.number(tree.this)
        return Absolute(inner.kind, inner)

    def function(self, tree: exp.Anonymous) -> Node:
        name, arguments = tree.name.lower(), tree.expressions
        if name == "ratio" and len(arguments) == 2:
            numerator, denominator = self.number(arguments[0]), self.number(arguments[1])
            unit = _product(numerator.quantity.unit, denominator.quantity.unit, -1)
            return Ratio(Quantity(self.decimals, unit), numerator, denominator)
        if name == "cagr" and len(arguments) == 3:
            end, start, years = (self.number(argument) for argument in arguments)
            _same_unit([end, start], "cagr")
            whole = years.value if isinstance(years, Constant) else None
            if not isinstance(whole, Fraction) or whole.denominator != 1 or not 1 <= whole <= MAX_YEARS:
                raise FormulaError(f"cagr: years must be a whole number from 1 to {MAX_YEARS}")
            return Cagr(Quantity(self.decimals, _NO_UNIT), end, start, int(whole))
        if name in ("ratio", "cagr"):
            raise FormulaError(f"{name} takes {'2' if name == 'ratio' else '3'} arguments, found {len(arguments)}")
        raise FormulaError(self.refusal(tree))


_READERS: dict[type[exp.Expression], Callable[[_Reader, exp.Expression], Node]] = {
    exp.Paren: lambda reader, tree: reader.read(tree.this),
    exp.Column: lambda reader, tree: reader.column(tree),
    exp.Literal: lambda reader, tree: reader.literal(tree),
    exp.Null: lambda reader, tree: Constant(Quantity(0, None), None),
    exp.Boolean: lambda reader, tree: Constant(BOOLEAN, bool(tree.this)),
    exp.Neg: lambda reader, tree: reader.negative(tree),
    exp.Add: lambda reader, tree: reader.arithmetic(tree),
    exp.Sub: lambda reader, tree: reader.arithmetic(tree),
    exp.Mul: lambda reader, tree: reader.arithmetic(tree),
    exp.And: lambda reader, tree: reader.logic(tree),
    exp.Or: lambda reader, tree: reader.logic(tree),
    exp.Not: lambda reader, tree: Not(BOOLEAN, reader.condition(tree.this)),
    exp.Is: lambda reader, tree: reader.is_null(tree),
    exp.In: lambda reader, tree: reader.one_of(tree),
    exp.Case: lambda reader, tree: reader.case(tree),
    exp.Coalesce: lambda reader, tree: reader.choice(tree),
    exp.Least: lambda reader, tree: reader.choice(tree),
    exp.Greatest: lambda reader, tree: reader.choice(tree),
    exp.Abs: lambda reader, tree: reader.absolute(tree),
    exp.Anonymous: lambda reader, tree: reader.function(tree),
}


def _constant(value: Decimal) -> Constant:
    exponent = value.normalize().as_tuple().exponent
    return Constant(Quantity(max(0, -int(exponent)), None), Fraction(value))


def _arithmetic(sign: str, left: Node, right: Node) -> Node:
    if sign == "*":
        unit = _product(left.quantity.unit, right.quantity.unit, 1)
        kind = Quantity(_bounded(left.quantity.decimals + right.quantity.decimals), unit)
    else:
        kind = _same_unit([left, right], sign)
    return Arithmetic(kind, sign, left, right)


def _bounded(decimals: int) -> int:
    if decimals > MAX_DECIMALS:
        raise FormulaError(f"a product of {decimals} decimals; at most {MAX_DECIMALS} stay exact")
    return decimals


def _same_unit(nodes: Iterable[Node], what: str) -> Quantity:
    """The kind that holds every operand exactly; operands of two units do not meet."""
    quantities = [node.quantity for node in nodes]
    units = {quantity.unit for quantity in quantities if quantity.unit is not None}
    if len(units) > 1:
        shown = " and ".join(sorted(_show(unit) for unit in units))
        raise FormulaError(f"unit mismatch: {shown} meet in `{what}`")
    return Quantity(max(quantity.decimals for quantity in quantities), next(iter(units), None))


def _is_null(node: Node) -> bool:
    return isinstance(node, Constant) and node.value is None


def _unit(powers: Mapping[str, int]) -> Unit:
    return tuple(sorted((symbol, power) for symbol, power in powers.items() if power))


def _product(left: Unit | None, right: Unit | None, power: int) -> Unit | None:
    if left is None and right is None:
        return None
    powers = dict(left or ())
    for symbol, exponent in right or ():
        powers[symbol] = powers.get(symbol, 0) + power * exponent
    return _unit(powers)


def _fits(found: Unit | None, declared: Unit) -> bool:
    if found is None:
        return True

    def dimension(unit: Unit) -> Unit:
        powers: dict[str, int] = {}
        for symbol, power in unit:
            name = _SAME_DIMENSION.get(symbol, symbol)
            powers[name] = powers.get(name, 0) + power
        return _unit(powers)

    return dimension(found) == dimension(declared)


def _show(unit: Unit | None) -> str:
    if not unit:
        return "比例"
    above = "·".join(symbol for symbol, power in unit for _ in range(max(power, 0)))
    below = "·".join(symbol for symbol, power in unit for _ in range(max(-power, 0)))
    return f"{above or '1'}/{below}" if below else above


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children():
        yield from _walk(child)


# --- writing SQL -------------------------------------------------------------------------------------------------


def huge(number: int) -> str:
    """An integer as SQL; typed, so that no step of the arithmetic is done in 32 bits."""
    return f"CAST({number} AS HUGEINT)"


def half_up_sql(numerator: str, denominator: str) -> str:
    """numerator / denominator of two integers, rounded half away from zero; NULL where the denominator is zero."""
    sign = f"CASE WHEN ({numerator} < 0) <> ({denominator} < 0) THEN -1 ELSE 1 END"
    quotient = f"(2 * abs({numerator}) + abs({denominator})) // (2 * abs({denominator}))"
    return f"CASE WHEN {denominator} <> 0 THEN ({sign}) * ({quotient}) END"


def half_up_within_sql(numerator: str, denominator: int, *, negative: bool = False) -> str:
    """The same for a numerator whose sign is known and a positive constant: a short expression, for hot paths."""
    sign = "-" if negative else ""
    return f"{sign}((2 * ({sign}({numerator})) + {denominator}) // {2 * denominator})"


def _sql_scaled(node: Node, decimals: int) -> str:
    """The node's number in units of 10**-decimals, rounded half up where it has more."""
    text, surplus = _sql(node), node.quantity.decimals - decimals
    if surplus > 0:
        return f"({half_up_sql(text, huge(10**surplus))})"
    return text if surplus == 0 else f"({text} * {huge(10**-surplus)})"


def _sql(node: Node) -> str:
    """The node in units of its own 10**-decimals (numbers), or as BOOLEAN."""
    match node:
        case Constant(value=None):
            return "NULL"
        case Constant(value=bool(value)):
            return "TRUE" if value else "FALSE"
        case Constant(value=Fraction() as value):
            return huge(int(value * 10**node.quantity.decimals))
        case Measure(name=name):
            return f'"{name}"'
        case Arithmetic(sign="*", left=left, right=right):
            return f"({_sql(left)} * {_sql(right)})"
        case Arithmetic(sign=sign, left=left, right=right):
            decimals = node.quantity.decimals
            return f"({_sql_scaled(left, decimals)} {sign} {_sql_scaled(right, decimals)})"
        case Comparison(sign=sign, left=left, right=right):
            decimals = max(left.quantity.decimals, right.quantity.decimals)
            return f"({_sql_scaled(left, decimals)} {sign} {_sql_scaled(right, decimals)})"
        case Logic(word=word, left=left, right=right):
            return f"({_sql(left)} {word.upper()} {_sql(right)})"
        case Not(inner=inner):
            return f"(NOT {_sql(inner)})"
        case IsNull(inner=inner):
            return f"({_sql(inner)} IS NULL)"
        case OneOf(inner=inner, options=options):
            decimals = max(part.quantity.decimals for part in (inner, *options))
            listed = ", ".join(_sql_scaled(option, decimals) for option in options)
            return f"({_sql_scaled(inner, decimals)} IN ({listed}))"
        case Case(whens=whens, otherwise=otherwise):
            branches = " ".join(f"WHEN {_sql(when)} THEN {_sql_as(node, then)}" for when, then in whens)
            return f"(CASE {branches} ELSE {_sql_as(node, otherwise)} END)"
        case Choice(function=function, options=options):
            return f"{function}({', '.join(_sql_as(node, option) for option in options)})"
        case Absolute(inner=inner):
            return f"abs({_sql(inner)})"
        case Ratio(numerator=numerator, denominator=denominator):
            shift = node.quantity.decimals + denominator.quantity.decimals - numerator.quantity.decimals
            above, below = _sql(numerator), _sql(denominator)
            above = f"({above} * {huge(10**shift)})" if shift > 0 else above
            below = f"({below} * {huge(10**-shift)})" if shift < 0 else below
            return f"({half_up_sql(above, below)})"
        case Cagr(end=end, start=start, years=years):
            decimals = max(end.quantity.decimals, start.quantity.decimals)
            return _cagr_sql(_sql_scaled(end, decimals), _sql_scaled(start, decimals), years, node.quantity.decimals)
    raise AssertionError(f"no SQL for {type(node).__name__}")


def _sql_as(parent: Node, child: Node) -> str:
    """A branch of `parent` in the parent's kind."""
    if parent.kind == BOOLEAN or _is_null(child):
        return _sql(child)
    return _sql_scaled(child, parent.quantity.decimals)


def _cagr_sql(end: str, start: str, years: int, decimals: int) -> str:
    """(end/start)^(1/years) - 1 in units of 10**-decimals, half up.

    A floating root only says where to look; integers decide: k or more is right when
    end * (2·10^d)^n >= start * (2·10^d + 2k - 1)^n, for the three k around the guess. (Below zero half up is half down:
    the comparison is then strict.)
    """
    two = 2 * 10**decimals
    root = f"pow(CAST({end} AS DOUBLE) / CAST({start} AS DOUBLE), 1.0 / {years})"
    guess = f"CAST(round(({root} - 1) * {10**decimals}) AS HUGEINT)"

    def reaches(offset: int) -> str:
        twice = f"({two} + 2 * ({guess} + {offset}) - 1)"
        left, right = f"{end} * {huge(two**years)}", f"{start} * {' * '.join([twice] * years)}"
        compared = f"CASE WHEN {guess} + {offset} > 0 THEN {left} >= {right} ELSE {left} > {right} END"
        return f"CASE WHEN {twice} < 0 THEN TRUE ELSE {compared} END"  # every growth lies above -1

    steps = " + ".join(f"CASE WHEN ({reaches(offset)}) THEN 1 ELSE 0 END" for offset in (0, 1))
    return f"(CASE WHEN {start} > 0 AND {end} >= 0 THEN {guess} - 1 + {steps} END)"


# --- the reference -----------------------------------------------------------------------------------------------


def _evaluate(node: Node, measures: Mapping[str, Decimal | int | None]) -> Value:
    """SQL's three-valued logic over fractions."""

    def number(part: Node) -> Fraction | None:
        value = _evaluate(part, measures)
        assert not isinstance(value, bool)
        return value

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
            return _compare(sign, number(left), number(right))
        case Logic(word=word, left=left, right=right):
            decisive = word == "or"
            parts = [_evaluate(left, measures), _evaluate(right, measures)]
            return decisive if decisive in parts else None if None in parts else not decisive
        case Not(inner=inner):
            value = _evaluate(inner, measures)
            return None if value is None else not value
        case IsNull(inner=inner):
            return _evaluate(inner, measures) is None
        case OneOf(inner=inner, options=options):
            found = [_compare("=", number(inner), number(option)) for option in options]
            return True if True in found else None if None in found else False
        case Case(whens=whens, otherwise=otherwise):
            for when, then in whens:
                if _evaluate(when, measures) is True:
                    return _evaluate(then, measures)
            return _evaluate(otherwise, measures)
        case Choice(function="coalesce", options=options):
            return next((v for v in (_evaluate(option, measures) for option in options) if v is not None), None)
        case Choice(function=function, options=options):
            present = [v for v in (number(option) for option in options) if v is not None]
            return (min(present) if function == "least" else max(present)) if present else None
        case Absolute(inner=inner):
            value = number(inner)
            return None if value is None else abs(value)
        case Ratio(numerator=numerator, denominator=denominator):
            above, below = number(numerator), number(denominator)
            if above is None or not below:
                return None
            quotient, decimals = above / below, node.quantity.decimals
            return Fraction(ratio_half_up(quotient.numerator, quotient.denominator, decimals), 10**decimals)
        case Cagr(end=end, start=start, years=years):
            last, first = number(end), number(start)
            if last is None or first is None or first <= 0 or last < 0:
                return None
            return _cagr(last / first, years, node.quantity.decimals)
    raise AssertionError(f"no value for {type(node).__name__}")


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


def _cagr(growth: Fraction, years: int, decimals: int) -> Fraction:
    """growth^(1/years) - 1, half up at `decimals`, from the exact integer root of (2·10^d)^n · growth."""
    two = 2 * 10**decimals
    target = growth * two**years
    root = _integer_root(target.numerator // target.denominator, years)
    halves = root - two
    rounded = (halves + 1) // 2
    if halves < 0 and halves % 2 and root**years == target:
        rounded -= 1
    return Fraction(rounded, 10**decimals)


def _integer_root(number: int, degree: int) -> int:
    """The largest r with r**degree <= number."""
    low, high = 0, 1 << (number.bit_length() // degree + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= number else (low, middle - 1)
    return low
