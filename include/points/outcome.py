"""What an indicator or a node of a tree came to, and what formulas and conditions read of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from include.kernel.exact import ratio_half_up
from include.schemes.compile import value_name
from include.schemes.tree_compile import CompiledTree, TreeLine, TreeNode, points_name

Facts = Mapping[str, Fraction | None]


@dataclass(frozen=True)
class Outcome:
    """What an indicator or a node came to. `exact`: before its rounding; `points`: what is shown and counted on.
    `unrounded`: the value by which conditions are decided.
    """

    status: str
    value: Fraction | None
    exact: Fraction | None
    points: Fraction | None
    unrounded: Fraction | None = None


def own_side(exact: Fraction, decimals: int, line: TreeLine) -> Fraction:
    """Half up, but never over a line that the scheme draws: what is shown lies on the side that counts. A line between
    two values that can be shown has no such side.
    """
    unit = Fraction(1, 10**decimals)
    value = ratio_half_up(exact.numerator, exact.denominator, decimals) * unit
    for threshold in line.thresholds:
        if (threshold.place / unit).denominator != 1:
            continue
        if threshold.reached(value) != threshold.reached(exact):
            return value - unit if threshold.reached(value) else value + unit
    return value


def results(compiled: CompiledTree, outcomes: Mapping[str, Outcome]) -> dict[str, Fraction | None]:
    """Results by the names that conditions and formula nodes use."""
    found: dict[str, Fraction | None] = {}
    for name, outcome in outcomes.items():
        if name in compiled.lines:
            found |= {value_name(name): outcome.value, points_name(name): outcome.points}
        else:
            found[name] = outcome.points
    return found


def read_by(compiled: CompiledTree, node: TreeNode, outcomes: Mapping[str, Outcome], facts: Facts) -> Facts:
    """What a formula node reads: measures, and results as shown; the points of what is absent as it handles them."""
    handling = compiled.rule.handling(node.rule)
    found = results(compiled, {name: outcomes[name] for name in node.reads})
    for name in node.reads:
        if outcomes[name].points is None and handling[outcomes[name].status] == "no_points":
            found[points_name(name) if name in compiled.lines else name] = Fraction(0)
    return {**facts, **found}
