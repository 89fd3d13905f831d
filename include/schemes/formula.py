"""Formulas: a small SQL expression over measures, read against an allow-list, with exact numbers and a unit check.

The text is parsed by sqlglot into a tree of our own (`expression.py`). Two backends read the same tree:
`formula_columns` computes whole columns in integers for the nightly run, `formula_exact` one enterprise in fractions of
plain Python, the reference for explanations and tests.

Allowed: numbers, measures, `+ - *`, comparisons, `between`, `and or not`, `is [not] null`, `in`, `case when`,
`coalesce`, `least`, `greatest` (both skip NULL; a number beside a measure bounds it and never stands in for it), `abs`,
`ratio(a, b)` and `cagr(end, start, years)`. A `case` whose next condition is unknown is unknown: `else` is no answer to
what nobody knows (ADR 9). `/` is refused: a quotient must say what a zero below the line means, and `ratio` does: a
NULL or zero denominator gives NULL (not held); a formula that wants another outcome says so with `case`. `cagr` needs
start > 0 and end >= 0, else NULL. The result is rounded once, half up to the indicator's decimals; on which side of a
line a quotient lies is decided before that.

A formula of a scheme with a tree is `exact`: nothing in it is rounded, and `ln`, `exp`, `sqrt` and `power` are allowed;
it has no SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from include.kernel.exact import from_scaled, parse_decimal, ratio_half_up
from include.kernel.irrational import TooLarge, recognised
from include.kernel.whole import Column
from include.schemes.expression import (
    BOOLEAN,
    GUARD,
    NO_UNIT,
    Absolute,
    Arithmetic,
    Cagr,
    Case,
    Choice,
    Comparison,
    Constant,
    FormulaError,
    Irrational,
    IsNull,
    Logic,
    Measure,
    Node,
    Not,
    OneOf,
    Quantity,
    Ratio,
    Value,
    fits,
    holds_quotient,
    is_null,
    made_of,
    multiplied_out,
    parse_unit,
    show_unit,
    unit_product,
    walk,
)
from include.schemes.formula_columns import Columns, node_column, scaled_column
from include.schemes.formula_exact import node_value
from include.schemes.reading import nearest
from include.schemes.shapes import Threshold
from include.schemes.spelling import spelling_fault, unquoted

MAX_DECIMALS = 18
MAX_YEARS, MAX_EXACT_YEARS = 4, 50
GROWTH = 6
"""A rate of growth lies on its own side of every number of so many places at least, wherever it is compared."""
DEEPEST = 150
"""Levels of a formula; a sum of so many terms has as many. Beyond, walking it would exhaust the stack."""
_FUNCTIONS = ("abs", "case", "cagr", "coalesce", "greatest", "least", "ratio")
_IRRATIONAL = ("ln", "exp", "sqrt", "power")
_MEANT = {"min": "least", "max": "greatest", "log": "ln", "pow": "power", "if": "case"}
_CALLED = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
_WORDS = ("and", "or", "not", "in", "is", "between", "when", "then", "else", "case")
"""What may stand before a bracket and calls nothing."""


@dataclass(frozen=True)
class Formula:
    """A checked expression: its tree, the measures it reads, and the decimals of its result (0 for a yes/no).

    `computed`: there are logarithms or roots in it, or in what it reads.
    """

    text: str
    root: Node
    inputs: tuple[str, ...]
    decimals: int
    computed: bool = False

    @property
    def is_condition(self) -> bool:
        return self.root.kind == BOOLEAN

    @property
    def is_rounded(self) -> bool:
        """Whether its value may have more places than its decimals, in the nightly run."""
        return not self.is_condition and self.root.quantity.decimals > self.decimals

    def column(self, columns: Columns, rows: int) -> Column:
        """The value of every row, in units of 10**-decimals; a yes/no stays one."""
        if self.is_condition:
            return node_column(self.root, columns, rows)
        return scaled_column(self.root, columns, rows, self.decimals)

    def on_its_side(self, columns: Columns, rows: int, lines: Iterable[Threshold]) -> Column:
        """`column`, but where rounding would carry a value over a line, it stays on its own side by one last digit.

        So what is shown lies where it is scored: 0.29999999 against a line of 0.3 is shown as 0.299999.
        """
        whole, shown = node_column(self.root, columns, rows), self.column(columns, rows)
        if not self.is_rounded:
            return shown
        surplus = self.root.quantity.decimals - self.decimals
        for line in lines:
            place = line.place * 10**self.decimals
            if place.denominator != 1:
                continue  # a line between two shown values is crossed by none
            at_line, unrounded = shown.values == place.numerator, place.numerator * 10**surplus
            if line.past:
                shown = Column(shown.values + (at_line & (whole.values > unrounded)), shown.known)
            else:
                shown = Column(shown.values - (at_line & (whole.values < unrounded)), shown.known)
        return shown

    def exact(self, measures: Mapping[str, Fraction | None]) -> Value:
        """The value of an `exact` formula, rounded nowhere; what logarithms and roots come to is `recognised`."""
        value = node_value(self.root, measures, exact=True, computed=self.computed)
        return recognised(value) if self.computed and isinstance(value, Fraction) else value

    def reading(self, computed: Set[str]) -> Formula:
        """The formula, knowing which of the results that it may read are computed."""
        return replace(self, computed=self.computed or not computed.isdisjoint(self.inputs))

    def evaluate(
        self, measures: Mapping[str, Decimal | int | None], lines: Iterable[Threshold] = ()
    ) -> Decimal | bool | None:
        """The value for one enterprise, exactly; the reference that `column` and `on_its_side` must equal."""
        value = node_value(self.root, measures)
        if value is None or isinstance(value, bool):
            return value
        shown = Fraction(ratio_half_up(value.numerator, value.denominator, self.decimals))
        unit = 10**self.decimals
        for line in lines:
            if (line.place * unit).denominator == 1 and line.reached(shown / unit) != line.reached(value):
                shown += -1 if line.reached(shown / unit) else 1
        return from_scaled(int(shown), self.decimals)


def compile_formula(
    text: str, known: Mapping[str, Quantity], *, decimals: int, unit: str | None = None, exact: bool = False
) -> Formula:
    """Read `text` over the `known` measures; the result is rounded half up to `decimals`, once.

    With `unit`, the result must be of it (days may become years: 天, 月 and 年 are one dimension).
    """
    if fault := spelling_fault(text, known):
        raise FormulaError(fault)
    for called in _CALLED.findall(unquoted(text)):
        if called.lower() not in (*_WORDS, *_FUNCTIONS, *_IRRATIONAL):
            raise FormulaError(_unknown_function(called, exact))
    try:
        root = _Reader(known, decimals, exact).read(sqlglot.parse_one(text, dialect="duckdb"))
        levels = _levels(root)
    except SqlglotError as error:
        raise FormulaError(f"not an expression: {text!r:.80} ({_reason(error)})") from None
    except RecursionError:
        levels = DEEPEST + 1
    if levels > DEEPEST:
        raise FormulaError(f"nested deeper than {DEEPEST} levels: {text!r:.80}")
    if isinstance(root.kind, Quantity):
        if unit is not None and not fits(root.kind.unit, parse_unit(unit)):
            raise FormulaError(f"gives {show_unit(root.kind.unit)}, the indicator's unit is {unit}")
    elif unit not in (None, "是否"):
        raise FormulaError(f"gives a yes/no, the indicator's unit is {unit}")
    try:
        for node in walk(root):
            _numbers_of(node)
    except TooLarge as error:
        raise FormulaError(str(error)) from None
    inputs = tuple(dict.fromkeys(node.name for node in walk(root) if isinstance(node, Measure)))
    computed = any(isinstance(node, Irrational | Cagr) for node in walk(root))
    return Formula(text, root, inputs, decimals, computed)


def _unknown_function(name: str, exact: bool) -> str:
    allowed = [*_FUNCTIONS, *(_IRRATIONAL if exact else ())]
    near = _MEANT.get(name.lower()) or nearest(name, allowed)
    hint = f" (did you mean {near}?)" if near in allowed else ""
    return f"unknown function {name!r}{hint}; allowed are {', '.join(allowed)}"


def _reason(error: SqlglotError) -> str:
    """sqlglot's, in words of the formula instead of its classes."""
    said = str((getattr(error, "errors", None) or [{}])[0].get("description") or "unreadable")
    if said.startswith("Required keyword"):
        return "something is missing"
    return "too many arguments" if said.startswith("The number of provided arguments") else said


def compile_condition(text: str, known: Mapping[str, Quantity], *, decimals: int = 6, exact: bool = False) -> Formula:
    """Read a yes/no question; quotients in it lie on their own side of every number of `decimals` places."""
    formula = compile_formula(text, known, decimals=decimals, exact=exact)
    if not formula.is_condition:
        raise FormulaError(f"is a number, not a yes/no question: {text!r:.80}")
    return formula


def bounds_on(formula: Formula, name: str) -> Iterator[Threshold]:
    """The numbers against which a formula holds one of its inputs: `inp_03 >= 0.05` gives the line 0.05, an equation
    both sides of its number, a case each of its outcomes.
    """
    for node in walk(formula.root):
        sides: list[tuple[Node, Node, str]] = []
        if isinstance(node, Comparison):
            sides = [(node.left, node.right, node.sign), (node.right, node.left, _MIRRORED.get(node.sign, node.sign))]
        elif isinstance(node, OneOf):
            sides = [(node.inner, option, "=") for option in node.options]
        for measure, other, sign in sides:
            if isinstance(measure, Measure) and measure.name == name:
                yield from (Threshold(number, past) for number in _numbers_of(other) for past in _PAST[sign])


def stands_alone(formula: Formula, name: str) -> bool:
    """Whether the formula only holds this input against numbers, or asks whether it is held at all: then what is shown,
    on its own side of each of them, answers as the exact value would.
    """
    return _stands_alone(formula.root, name)


def is_compared_alone(formula: Formula, name: str) -> bool:
    """Whether each comparison in the formula holds this input against numbers alone; elsewhere it counts as it is."""
    compared = [part for part in walk(formula.root) if isinstance(part, Comparison | OneOf)]
    return all(_stands_alone(part, name) for part in compared)


def _stands_alone(within: Node, name: str) -> bool:
    for node in walk(within):
        parts = list(node.children())
        if not any(isinstance(part, Measure) and part.name == name for part in parts):
            continue
        others = [part for part in parts if not _numbers_of(part)]
        is_held_against = isinstance(node, Comparison) or (isinstance(node, OneOf) and isinstance(node.inner, Measure))
        if not isinstance(node, IsNull) and not (is_held_against and len(others) == 1):
            return False
    return True


_PAST = {">=": [False], "<": [False], ">": [True], "<=": [True], "=": [False, True], "<>": [False, True]}
_MIRRORED = {">=": "<=", "<": ">", ">": "<", "<=": ">="}


def _numbers_of(node: Node) -> list[Fraction]:
    """What a part comes to that no measure moves: -0.05, 0.02 + 0.03, or each outcome of a case; else nothing."""
    if isinstance(node, Case):
        outcomes = [outcome for _, outcome in node.whens] + [node.otherwise]
        found = [_numbers_of(outcome) for outcome in outcomes if not is_null(outcome)]
        return [number for numbers in found for number in numbers] if all(found) else []
    if any(isinstance(part, Measure) for part in walk(node)):
        return []
    value = node_value(node, {}, exact=True, computed=True)
    return [recognised(value)] if isinstance(value, Fraction) else []


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

    def __init__(self, known: Mapping[str, Quantity], decimals: int, exact: bool) -> None:
        self.known, self.decimals, self.is_exact = known, decimals, exact

    def read(self, tree: exp.Expression) -> Node:
        kind = type(tree)
        if kind in _COMPARISONS:
            left, right = self.alike([tree.this, tree.expression])
            if is_null(left) or is_null(right):
                raise FormulaError(f"nothing equals null: write `is null` or `is not null`: {tree.sql()!r:.60}")
            _same_unit([left, right], _COMPARISONS[kind])
            self.growth_beside_numbers([left, right])
            return Comparison(BOOLEAN, _COMPARISONS[kind], left, right)
        reader = _READERS.get(kind)
        if reader is None:
            raise FormulaError(self.refusal(tree))
        return reader(self, tree)

    def refusal(self, tree: exp.Expression) -> str:
        if isinstance(tree, exp.Div | exp.IntDiv | exp.Mod):
            return "`/` is not exact; write ratio(a, b), whose side of every line is exact"
        if isinstance(tree, exp.Func):
            name = (tree.name if isinstance(tree, exp.Anonymous) else tree.sql_name()).lower()
            if name in _IRRATIONAL and not self.is_exact:
                return f"{name} needs a scheme with a tree, where formulas are computed in fractions"
            return _unknown_function(name, self.is_exact)
        return f"{type(tree).__name__.lower()} is not allowed: {tree.sql()!r:.60}"

    def number(self, tree: exp.Expression) -> Node:
        node = self.read(tree)
        _ = node.quantity
        return node

    def amount(self, tree: exp.Expression) -> Node:
        """A number to count with."""
        node = self.number(tree)
        if words := node.quantity.words:
            raise FormulaError(f"a category ({', '.join(words):.60}) is compared with its words, not counted with")
        return node

    def alike(self, trees: list[exp.Expression]) -> list[Node]:
        """Numbers that are compared; a quoted word beside a category is the place of that code."""
        columns = [self.known[t.name] for t in trees if isinstance(t, exp.Column) and t.name in self.known]
        words = next((column.words for column in columns if column.words), ())
        return [self.word(tree, words) if words and _is_text(tree) else self.number(tree) for tree in trees]

    def word(self, tree: exp.Expression, words: tuple[str, ...]) -> Node:
        if tree.this not in words:
            near = nearest(tree.this, list(words))
            hint = f" (did you mean {near}?)" if near else ""
            raise FormulaError(f"unknown code {tree.this!r:.40}{hint}; allowed are {', '.join(words)}")
        return _constant(Decimal(words.index(tree.this) + 1))

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
        inner = self.amount(tree.this)
        return self.combined("-", _constant(Decimal(0)), inner)

    def arithmetic(self, tree: exp.Binary) -> Node:
        sign = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*"}[type(tree)]
        return self.combined(sign, self.amount(tree.this), self.amount(tree.expression))

    def combined(self, sign: str, left: Node, right: Node) -> Node:
        """Arithmetic; over quotients it is computed in fractions and carries a trace of its own."""
        quotients = not self.is_exact and (holds_quotient(left) or holds_quotient(right))
        self.no_growth_in([left, right])
        if sign == "*":
            unit = unit_product(left.quantity.unit, right.quantity.unit, 1)
            for factor in (left, right):
                if isinstance(factor, Constant):
                    unit = multiplied_out(unit, factor.value)
            decimals = left.quantity.decimals + right.quantity.decimals
            kind = Quantity(decimals if self.is_exact or quotients else _bounded(decimals), unit)
        else:
            kind = _same_unit([left, right], sign)
        return Arithmetic(replace(kind, decimals=self.decimals + GUARD) if quotients else kind, sign, left, right)

    def no_growth_in(self, parts: list[Node]) -> None:
        if not self.is_exact and any(isinstance(node, Cagr) for part in parts for node in made_of(part)):
            raise FormulaError("cagr(…) is no fraction: it stands alone, not inside arithmetic or a ratio")

    def growth_beside_numbers(self, parts: list[Node]) -> None:
        """Columns know a rate of growth to so many places: it is on its own side of numbers that have no more."""
        growing = [any(isinstance(node, Cagr) for node in made_of(part)) for part in parts]
        if self.is_exact or not any(growing):
            return
        divides = any(isinstance(node, Ratio) for part in parts for node in made_of(part))
        places = max(self.decimals, GROWTH) + GUARD - 1
        beside = [part.quantity.decimals for part, grows in zip(parts, growing, strict=True) if not grows]
        if divides or growing.count(True) > 1 or max(beside) > places:
            raise FormulaError(f"cagr(…) is no fraction: hold it against plain numbers of at most {places} places")

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
        inner, *options = self.alike([tree.this, *tree.expressions])
        _same_unit([inner, *options], "in")
        self.growth_beside_numbers([inner, *options])
        return OneOf(BOOLEAN, inner, tuple(options))

    def between(self, tree: exp.Between) -> Node:
        inner, low, high = self.alike([tree.this, tree.args["low"], tree.args["high"]])
        _same_unit([inner, low, high], "between")
        self.growth_beside_numbers([inner, low, high])
        return Logic(BOOLEAN, "and", Comparison(BOOLEAN, ">=", inner, low), Comparison(BOOLEAN, "<=", inner, high))

    def irrational(self, tree: exp.Func) -> Node:
        function = {exp.Ln: "ln", exp.Exp: "exp", exp.Sqrt: "sqrt", exp.Pow: "power"}[type(tree)]
        if not self.is_exact:
            raise FormulaError(self.refusal(tree))
        arguments = [tree.this, tree.expression] if function == "power" else [tree.this]
        return Irrational(Quantity(0, NO_UNIT), function, tuple(self.amount(argument) for argument in arguments))

    def case(self, tree: exp.Case) -> Node:
        if tree.this is not None:
            raise FormulaError("write `case when <condition> then …`, not `case <value> when …`")
        whens = tuple((self.condition(when.this), self.read(when.args["true"])) for when in tree.args["ifs"])
        default = tree.args.get("default")
        otherwise = self.read(default) if default is not None else Constant(Quantity(0, None), None)
        outcomes = [outcome for _, outcome in whens] + [otherwise]
        if all(outcome.kind == BOOLEAN or is_null(outcome) for outcome in outcomes):
            return Case(BOOLEAN, whens, otherwise)
        return Case(_same_unit(outcomes, "case"), whens, otherwise)

    def choice(self, tree: exp.Func) -> Node:
        function = tree.sql_name().lower()
        options = tuple(self.read(part) for part in [tree.this, *tree.expressions])
        if all(map(is_null, options)):
            raise FormulaError(f"{function} of null alone")
        numbers = [
            f"{option.value.numerator / Decimal(option.value.denominator):f}"
            for option in options
            if isinstance(option, Constant) and isinstance(option.value, Fraction)
        ]
        if len(numbers) > 1:
            said = f"{function} takes one number, found {' and '.join(numbers)}"
            raise FormulaError(f"{said}; write thousands without a comma, decimals with a point")
        if function == "coalesce" and all(option.kind == BOOLEAN for option in options):
            return Choice(BOOLEAN, function, options)
        return Choice(_same_unit(options, function), function, options)

    def absolute(self, tree: exp.Abs) -> Node:
        inner = self.amount(tree.this)
        return Absolute(inner.kind, inner)

    def function(self, tree: exp.Anonymous) -> Node:
        name, arguments = tree.name.lower(), tree.expressions
        if name == "ratio" and len(arguments) == 2:
            numerator, denominator = self.amount(arguments[0]), self.amount(arguments[1])
            self.no_growth_in([numerator, denominator])
            unit = unit_product(numerator.quantity.unit, denominator.quantity.unit, -1)
            return Ratio(Quantity(self.decimals + GUARD, unit), numerator, denominator)
        if name == "cagr" and len(arguments) == 3:
            end, start, years = (self.amount(argument) for argument in arguments)
            _same_unit([end, start], "cagr")
            whole = years.value if isinstance(years, Constant) else None
            most = MAX_EXACT_YEARS if self.is_exact else MAX_YEARS
            if not isinstance(whole, Fraction) or whole.denominator != 1 or not 1 <= whole <= most:
                raise FormulaError(f"cagr: years must be a whole number from 1 to {most}")
            return Cagr(Quantity(max(self.decimals, GROWTH) + GUARD, NO_UNIT), end, start, int(whole))
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
    exp.Between: lambda reader, tree: reader.between(tree),
    exp.Ln: lambda reader, tree: reader.irrational(tree),
    exp.Exp: lambda reader, tree: reader.irrational(tree),
    exp.Sqrt: lambda reader, tree: reader.irrational(tree),
    exp.Pow: lambda reader, tree: reader.irrational(tree),
    exp.In: lambda reader, tree: reader.one_of(tree),
    exp.Case: lambda reader, tree: reader.case(tree),
    exp.Coalesce: lambda reader, tree: reader.choice(tree),
    exp.Least: lambda reader, tree: reader.choice(tree),
    exp.Greatest: lambda reader, tree: reader.choice(tree),
    exp.Abs: lambda reader, tree: reader.absolute(tree),
    exp.Anonymous: lambda reader, tree: reader.function(tree),
}


def _levels(node: Node) -> int:
    return 1 + max(map(_levels, node.children()), default=0)


def _constant(value: Decimal) -> Constant:
    exponent = value.normalize().as_tuple().exponent
    return Constant(Quantity(max(0, -int(exponent)), None), Fraction(value))


def _is_text(tree: exp.Expression) -> bool:
    return isinstance(tree, exp.Literal) and bool(tree.is_string)


def _bounded(decimals: int) -> int:
    if decimals > MAX_DECIMALS:
        raise FormulaError(f"a product of {decimals} decimals; at most {MAX_DECIMALS} stay exact")
    return decimals


def _same_unit(nodes: Iterable[Node], what: str) -> Quantity:
    """The kind that holds every operand exactly; operands of two units do not meet."""
    quantities = [node.quantity for node in nodes]
    units = {quantity.unit for quantity in quantities if quantity.unit is not None}
    if len(units) > 1:
        shown = " and ".join(sorted(show_unit(unit) for unit in units))
        raise FormulaError(f"unit mismatch: {shown} meet in `{what}`")
    return Quantity(max(quantity.decimals for quantity in quantities), next(iter(units), None))
