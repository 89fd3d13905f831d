"""A formula over whole columns of enterprises: integers in units of 10**-decimals, SQL's three-valued logic.

`formula_exact` is the reference that it must equal. Nothing overflows: see `kernel/whole.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from include.kernel.whole import Column, added, large, narrow, product, quotient, times, traced_ratio
from include.schemes.expression import (
    BOOLEAN,
    Absolute,
    Arithmetic,
    Cagr,
    Case,
    Choice,
    Comparison,
    Constant,
    IsNull,
    Logic,
    Measure,
    Node,
    Not,
    OneOf,
    Ratio,
    combines_quotients,
    holds_quotient,
    is_null,
    made_of,
    reads_measure,
)
from include.schemes.formula_exact import growth

Columns = Mapping[str, Column]

_COMPARED = {
    "=": np.equal,
    "<>": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


def node_column(node: Node, columns: Columns, rows: int) -> Column:
    """The node in units of its own 10**-decimals, or as yes/no."""

    def of(part: Node) -> Column:
        return node_column(part, columns, rows)

    def at(part: Node, decimals: int) -> Column:
        return scaled_column(part, columns, rows, decimals)

    if combines_quotients(node):
        return _fractions(node, columns, rows).traced(node.quantity.decimals)
    match node:
        case Constant(value=Fraction() as value):
            return Column.constant(int(value * 10**node.quantity.decimals), rows)
        case Constant(value=value):
            assert not isinstance(value, Fraction)
            return Column.constant(value, rows)
        case Measure(name=name):
            return columns[name]
        case Arithmetic(sign="*", left=left, right=right):
            a, b = of(left), of(right)
            return Column(product(a.values, b.values), a.known & b.known)  # unknown x anything is 0, as it must be
        case Arithmetic(sign=sign, left=left, right=right):
            a, b = at(left, node.quantity.decimals), at(right, node.quantity.decimals)
            total = added(a.values, b.values if sign == "+" else -b.values)
            return Column.of(total, a.known & b.known)
        case Comparison(sign=sign, left=left, right=right):
            if holds_quotient(node) and not any(isinstance(part, Cagr) for part in made_of(node)):
                return _compared(sign, _fractions(left, columns, rows), _fractions(right, columns, rows))
            decimals = max(left.quantity.decimals, right.quantity.decimals)
            a, b = at(left, decimals), at(right, decimals)
            known = a.known & b.known
            return Column(_COMPARED[sign](a.values, b.values).astype(bool) & known, known)
        case Logic(word=word, left=left, right=right):
            a, b = of(left), of(right)
            if word == "or":
                yes = a.values | b.values
                return Column(yes, (a.known & b.known) | yes)
            no = (a.known & ~a.values) | (b.known & ~b.values)
            return Column(a.values & b.values, (a.known & b.known) | no)
        case Not(inner=inner):
            a = of(inner)
            return Column(a.known & ~a.values, a.known)
        case IsNull(inner=inner):
            return Column(~of(inner).known, np.full(rows, True))
        case OneOf(inner=inner, options=options):
            equal = [of(Comparison(BOOLEAN, "=", inner, option)) for option in options]
            yes = np.any([one.values for one in equal], axis=0)
            return Column(yes, yes | np.all([one.known for one in equal], axis=0))
        case Case(whens=whens):
            return _case(node, [(of(when), _as(node, then, columns, rows)) for when, then in whens], columns, rows)
        case Choice(function=function, options=options):
            offered = [_as(node, option, columns, rows) for option in options]
            chosen = _choice(function, offered)
            held = _is_held(node, [option.known for option in offered], columns, rows)
            return Column.of(chosen.values, chosen.known & held)
        case Absolute(inner=inner):
            a = of(inner)
            return Column(np.abs(a.values), a.known)
        case Ratio(numerator=numerator, denominator=denominator):
            a, b = of(numerator), of(denominator)
            shift = node.quantity.decimals - 1 + denominator.quantity.decimals - numerator.quantity.decimals
            known = a.known & b.known & (b.values != 0).astype(bool)
            below = np.where(known, b.values, 1)
            found = traced_ratio(a.values, below, above_times=10 ** max(shift, 0), below_times=10 ** max(-shift, 0))
            return Column.of(found, known)
        case Cagr(end=end, start=start, years=years):
            decimals = max(end.quantity.decimals, start.quantity.decimals)
            a, b = at(end, decimals), at(start, decimals)
            known = a.known & b.known & (b.values > 0).astype(bool) & (a.values >= 0).astype(bool)
            return Column(_grown(a.values, b.values, known, years, node.quantity.decimals), known)
    raise AssertionError(f"no column for {type(node).__name__}")


def scaled_column(node: Node, columns: Columns, rows: int, decimals: int) -> Column:
    """The node's number in units of 10**-decimals, rounded half up where it has more."""
    found = node_column(node, columns, rows)
    if is_null(node):
        return found
    surplus = node.quantity.decimals - decimals
    if surplus > 0:
        return Column(narrow(quotient(found.values, 10**surplus)), found.known)
    return Column(times(found.values, 10**-surplus), found.known)


@dataclass(frozen=True)
class _Fractions:
    """above / below of every row, and where it is known; `below` is positive everywhere."""

    above: np.ndarray
    below: np.ndarray
    known: np.ndarray

    def traced(self, decimals: int) -> Column:
        found = traced_ratio(self.above, self.below, above_times=10 ** (decimals - 1), below_times=1)
        return Column.of(found, self.known)


def _fractions(node: Node, columns: Columns, rows: int) -> _Fractions:
    """The node's number as a fraction in whole numbers, rounded nowhere."""

    def of(part: Node) -> _Fractions:
        return _fractions(part, columns, rows)

    match node:
        case Constant(value=Fraction() as value):
            given = Column.constant(value.numerator, rows)
            return _Fractions(given.values, Column.constant(value.denominator, rows).values, given.known)
        case Constant():
            return _Fractions(np.zeros(rows, np.int64), np.ones(rows, np.int64), np.full(rows, False))
        case Measure(name=name):
            unit = Column.constant(10**node.quantity.decimals, rows)
            return _Fractions(columns[name].values, unit.values, columns[name].known)
        case Arithmetic(sign="*", left=left, right=right):
            a, b = of(left), of(right)
            return _Fractions(product(a.above, b.above), product(a.below, b.below), a.known & b.known)
        case Arithmetic(sign=sign, left=left, right=right):
            a, b = of(left), of(right)
            here, there = product(a.above, b.below), product(b.above, a.below)
            return _Fractions(
                added(here, there if sign == "+" else -there), product(a.below, b.below), a.known & b.known
            )
        case Ratio(numerator=numerator, denominator=denominator):
            a, b = of(numerator), of(denominator)
            known = a.known & b.known & (b.above != 0).astype(bool)
            above, below = product(a.above, b.below), np.where(known, product(a.below, b.above), 1)
            sign = np.where((below < 0).astype(bool), -1, 1)
            return _Fractions(above * sign, below * sign, known)
        case Case(whens=whens, otherwise=otherwise):
            result = of(otherwise)
            for when, then in reversed(whens):
                asked = node_column(when, columns, rows)
                result = _either(asked.values, of(then), replace(result, known=result.known & asked.known))
            return result
        case Choice(function=function, options=options):
            offered = [of(option) for option in options]
            result = offered[0]
            for option in offered[1:]:
                taken = option.known & ~result.known
                if function != "coalesce":
                    new, old = product(option.above, result.below), product(result.above, option.below)
                    taken |= option.known & (new < old if function == "least" else new > old).astype(bool)
                result = _either(taken, option, result)
            held = _is_held(node, [option.known for option in offered], columns, rows)
            return replace(result, known=result.known & held)
        case Absolute(inner=inner):
            a = of(inner)
            return _Fractions(np.abs(a.above), a.below, a.known)
    raise AssertionError(f"no fraction for {type(node).__name__}")


def _compared(sign: str, left: _Fractions, right: _Fractions) -> Column:
    """a/b against c/d as a·d against c·b."""
    known = left.known & right.known
    answer = _COMPARED[sign](product(left.above, right.below), product(right.above, left.below))
    return Column(answer.astype(bool) & known, known)


def _either(taken: np.ndarray, then: _Fractions, otherwise: _Fractions) -> _Fractions:
    return _Fractions(
        np.where(taken, then.above, otherwise.above),
        np.where(taken, then.below, otherwise.below),
        np.where(taken, then.known, otherwise.known),
    )


def _as(parent: Node, child: Node, columns: Columns, rows: int) -> Column:
    """A branch of `parent` in the parent's kind."""
    if parent.kind != BOOLEAN:
        return scaled_column(child, columns, rows, parent.quantity.decimals)
    found = node_column(child, columns, rows)
    return Column(found.values.astype(bool), found.known)


def _case(node: Case, branches: Sequence[tuple[Column, Column]], columns: Columns, rows: int) -> Column:
    """The last branch first, so that the first that holds is written last. A condition that is unknown leaves what is
    behind it unknown.
    """
    result = _as(node, node.otherwise, columns, rows)
    for when, then in reversed(branches):
        values = np.where(when.values, then.values, result.values)
        result = Column.of(values, np.where(when.values, then.known, result.known & when.known))
    return result


def _is_held(node: Choice, known: Sequence[np.ndarray], columns: Columns, rows: int) -> np.ndarray:
    """Where nothing is missing, or an option made of a measure is there: a number bounds what is held, and never stands
    in for what is not. To `coalesce` a number is what stands in.
    """
    may_lack = [there for there, option in zip(known, node.options, strict=True) if reads_measure(option)]
    held = np.logical_and.reduce([np.full(rows, True), *may_lack])
    if node.function == "coalesce" or held.all():
        return np.full(rows, True)
    for there, option in zip(known, node.options, strict=True):
        held = held | (there & _measured(option, columns, rows))
    return held


def _measured(node: Node, columns: Columns, rows: int) -> np.ndarray:
    """Where a number that is there is made of a measure: of a case or a `coalesce` what is taken decides."""

    def of(part: Node) -> np.ndarray:
        return _measured(part, columns, rows)

    found = np.full(rows, reads_measure(node))
    if not any(isinstance(part, Case | Choice) for part in made_of(node)):
        return found
    if isinstance(node, Case):
        found = of(node.otherwise)
        for when, then in reversed(node.whens):
            found = np.where(node_column(when, columns, rows).values, of(then), found)
        return found
    if isinstance(node, Choice):
        found = np.full(rows, False)
        for option in reversed(node.options):
            there = node_column(option, columns, rows).known
            found = np.where(there, of(option), found) if node.function == "coalesce" else found | (there & of(option))
        return found
    return np.logical_or.reduce([of(part) for part in node.children()])


def _choice(function: str, options: Sequence[Column]) -> Column:
    """coalesce, least, greatest: what is unknown is passed over."""
    result = options[0]
    for option in options[1:]:
        taken = option.known & ~result.known
        if function != "coalesce":
            better = option.values < result.values if function == "least" else option.values > result.values
            taken = taken | (option.known & better.astype(bool))
        result = Column(np.where(taken, option.values, result.values), result.known | option.known)
    return result


def _grown(end: np.ndarray, start: np.ndarray, known: np.ndarray, years: int, decimals: int) -> np.ndarray:
    """(end/start)^(1/years) - 1 in units of 10**-decimals, `traced`.

    A floating root is right to 15 digits. Where it lies farther from every whole number than a thousand times its
    error, the one below it is proved; the few rows nearer than that are decided by the reference's integer root.
    """
    unit = 10 ** (decimals - 1)
    quotients = np.where(known, end, 1).astype(float) / np.where(known, start, 1).astype(float)
    scaled = quotients ** (1 / years) * unit
    proved = (np.abs(scaled - np.rint(scaled)) > 1e-6 + scaled * 1e-12) & (scaled < 1e12)
    found = 10 * (np.where(proved, np.floor(scaled), 0).astype(np.int64) - unit) + 1
    doubtful = np.flatnonzero(known & ~proved)
    if len(doubtful):
        exact = [growth(Fraction(int(end[row]), int(start[row])), years, decimals) * 10 * unit for row in doubtful]
        found = large(found)
        found[doubtful] = [int(value) for value in exact]
        found = narrow(found)
    return np.where(known, found, 0)
