"""A formula as exact integer arithmetic for DuckDB: every number is a HUGEINT in units of 10**-decimals."""

from __future__ import annotations

from fractions import Fraction

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
    is_null,
)


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


def scaled_sql(node: Node, decimals: int) -> str:
    """The node's number in units of 10**-decimals, rounded half up where it has more."""
    text, surplus = node_sql(node), node.quantity.decimals - decimals
    if surplus > 0:
        return f"({half_up_sql(text, huge(10**surplus))})"
    return text if surplus == 0 else f"({text} * {huge(10**-surplus)})"


def node_sql(node: Node) -> str:
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
            return f"({node_sql(left)} * {node_sql(right)})"
        case Arithmetic(sign=sign, left=left, right=right):
            decimals = node.quantity.decimals
            return f"({scaled_sql(left, decimals)} {sign} {scaled_sql(right, decimals)})"
        case Comparison(sign=sign, left=left, right=right):
            decimals = max(left.quantity.decimals, right.quantity.decimals)
            return f"({scaled_sql(left, decimals)} {sign} {scaled_sql(right, decimals)})"
        case Logic(word=word, left=left, right=right):
            return f"({node_sql(left)} {word.upper()} {node_sql(right)})"
        case Not(inner=inner):
            return f"(NOT {node_sql(inner)})"
        case IsNull(inner=inner):
            return f"({node_sql(inner)} IS NULL)"
        case OneOf(inner=inner, options=options):
            decimals = max(part.quantity.decimals for part in (inner, *options))
            listed = ", ".join(scaled_sql(option, decimals) for option in options)
            return f"({scaled_sql(inner, decimals)} IN ({listed}))"
        case Case(whens=whens, otherwise=otherwise):
            branches = " ".join(f"WHEN {node_sql(when)} THEN {_sql_as(node, then)}" for when, then in whens)
            return f"(CASE {branches} ELSE {_sql_as(node, otherwise)} END)"
        case Choice(function=function, options=options):
            return f"{function}({', '.join(_sql_as(node, option) for option in options)})"
        case Absolute(inner=inner):
            return f"abs({node_sql(inner)})"
        case Ratio(numerator=numerator, denominator=denominator):
            shift = node.quantity.decimals + denominator.quantity.decimals - numerator.quantity.decimals
            above, below = node_sql(numerator), node_sql(denominator)
            above = f"({above} * {huge(10**shift)})" if shift > 0 else above
            below = f"({below} * {huge(10**-shift)})" if shift < 0 else below
            return f"({half_up_sql(above, below)})"
        case Cagr(end=end, start=start, years=years):
            decimals = max(end.quantity.decimals, start.quantity.decimals)
            return _cagr_sql(scaled_sql(end, decimals), scaled_sql(start, decimals), years, node.quantity.decimals)
    raise AssertionError(f"no SQL for {type(node).__name__}")


def _sql_as(parent: Node, child: Node) -> str:
    """A branch of `parent` in the parent's kind."""
    if parent.kind == BOOLEAN or is_null(child):
        return node_sql(child)
    return scaled_sql(child, parent.quantity.decimals)


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
