"""Publication checks of a scheme with a tree: on every day of its validity, with its golden cases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import pairwise

from include.kernel.errors import BadInput
from include.schemes.cases import tree_cases
from include.schemes.model import CASES
from include.schemes.reading import Dated
from include.schemes.shapes import Bands
from include.schemes.tree import TreeScheme, shown
from include.schemes.tree_compile import CompiledTree, TreeLine, compile_tree

RISING = {"higher_better": 1, "boolean": 1, "lower_better": -1, "penalty": -1}


def tree_findings(scheme: TreeScheme) -> Iterator[tuple[str, str]]:
    """Where and what: rules that do not compile, curves against their direction, lines without a case or a reader."""
    latest = None
    for day in _days_of_change(scheme):
        try:
            latest = compile_tree(scheme, day)
        except BadInput as error:
            yield error.where, error.what
            continue
        for line in latest.lines.values():
            for fault in _curve_faults(line):
                where = scheme.indicator_where(line.indicator.id)
                yield where, f"curve from {line.curve.since}: {fault}"
    if latest is not None:
        yield from _unread(scheme, latest)
        yield from _without_case(scheme, latest)


def _curve_faults(line: TreeLine) -> Iterator[str]:
    """The direction holds from piece to piece, and the curve reaches what the indicator may give."""
    direction, outcomes = line.indicator.direction, line.shape.outcomes
    if isinstance(line.shape, Bands):
        outcomes = outcomes[1::2]  # each band's highest
    if direction in RISING and any((after - before) * RISING[direction] < 0 for before, after in pairwise(outcomes)):
        yield f"the points run against {direction}"
    full = -line.worst if direction == "penalty" else line.best
    if full != line.indicator.full:
        yield f"no value reaches the full {line.indicator.full} points, at most {shown(full)}"


def _unread(scheme: TreeScheme, compiled: CompiledTree) -> Iterator[tuple[str, str]]:
    formulas = [node.formula for node in compiled.nodes.values() if node.formula is not None]
    asked = [c.formula for c in (*compiled.checks, *compiled.entry, *compiled.passing, *compiled.direct)]
    formulas += asked + [formula for basis in compiled.bases for formula in basis.formulas]
    read = {name for line in compiled.lines.values() for name in line.inputs}
    read |= {name for formula in formulas for name in formula.inputs}
    for name in scheme.measures:
        if name not in read:
            yield scheme.where("measures.yaml"), f"measure {name} has no reader"


def _without_case(scheme: TreeScheme, compiled: CompiledTree) -> Iterator[tuple[str, str]]:
    try:
        cases = [case for of in tree_cases(scheme).values() for case in of.cases]
    except BadInput as error:
        yield error.where, error.what
        return
    spoken = {name.partition(".")[0] for case in cases for name in case.expect}
    gates = [f"gate:{c.condition.id}" for c in (*compiled.entry, *compiled.passing, *compiled.direct)]
    for name in [*compiled.lines, *gates]:
        if name not in spoken:
            yield scheme.where(CASES), f"{name} has no golden case"
    for name in sorted(spoken):
        base = name.removeprefix("node:")
        if name in compiled.lines or (name.startswith("node:") and base in compiled.nodes) or name in gates:
            continue
        if name not in ("total", "total_low", "total_high", "coverage", "passed", "rank", "rank:stage"):
            yield scheme.where(CASES), f"a case expects {name}, which the scheme does not give"


def _days_of_change(scheme: TreeScheme) -> list[date]:
    """The first day, and every day on which some rule changes."""
    identity = scheme.identity
    dated: list[Dated] = [*identity.tree, *identity.ranks, *identity.gates]
    dated += scheme.stages.rule if scheme.stages else []
    for indicator in scheme.indicators.values():
        dated += [*indicator.formula, *indicator.curve]
    days = {rule.since for rule in dated} | {identity.valid.since}
    until = identity.valid.until or date.max
    return sorted(day for day in days if identity.valid.since <= day <= until)
