"""Publication checks of a scheme with a tree: on every day of its validity, with its golden cases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor

from include.kernel.errors import BadInput
from include.kernel.exact import parse_decimal, ratio_half_up
from include.kernel.irrational import TooLarge
from include.schemes.aggregate import bounded
from include.schemes.cases import tree_cases
from include.schemes.compile import value_name
from include.schemes.model import CASES
from include.schemes.reach import Reach, may_hold, reach
from include.schemes.reading import Dated
from include.schemes.shapes import Bands, Jumps, Line, form_name
from include.schemes.slope import slope
from include.schemes.status import NOT_HELD
from include.schemes.tree import TreeScheme, shown
from include.schemes.tree_compile import CompiledTree, TreeLine, compile_tree, points_name, spans

RISING = {"higher_better": 1, "boolean": 1, "lower_better": -1, "penalty": -1}
STEPS = ("step", "chosen", "penalty")


def tree_findings(scheme: TreeScheme) -> Iterator[tuple[str, str]]:
    """Where and what: rules that do not compile, curves against their direction, lines without a case or a reader."""
    days: list[CompiledTree] = []
    for day in tree_days_of_change(scheme):
        try:
            days.append(compile_tree(scheme, day))
        except BadInput as error:
            yield error.where, error.what
            continue
        for line in days[-1].lines.values():
            for fault in _curve_faults(line, days[-1]):
                where = scheme.indicator_where(line.indicator.id)
                yield where, f"curve from {line.curve.since}: {fault}"
    if days:
        latest = days[-1]
        yield from _unread(scheme, days)
        yield from _without_case(scheme, latest)
        yield from _without_edge(scheme, latest)
        yield from _closed_gates(scheme, latest)
        yield from _idle_maxima(scheme, latest)
        yield from _silence_that_pays(scheme, latest)


def _curve_faults(line: TreeLine, compiled: CompiledTree) -> Iterator[str]:
    """The direction holds from piece to piece, and the curve reaches what the indicator may give."""
    direction, outcomes = line.indicator.direction, line.shape.outcomes
    if isinstance(line.shape, Bands):
        outcomes = outcomes[1::2]  # each band's highest
    sign = RISING.get(direction, 0)
    if is_against := any((after - before) * sign < 0 for before, after in pairwise(outcomes)):
        yield f"the points run against {direction}"
    if direction == "range" and _falls_then_rises(outcomes):
        yield "the points rise again after they fell: a range is good in one place only"
    elif direction == "range" and outcomes in (sorted(outcomes), sorted(outcomes, reverse=True)):
        yield f"the points only {'rise' if outcomes == sorted(outcomes) else 'fall'}: that is no range"
    full = -line.worst if direction == "penalty" else line.best
    if full != line.indicator.full:
        yield f"no value reaches the full {line.indicator.full} points, at most {shown(full)}"
    elif not is_against and (found := _out_of_reach(line, _value_span(compiled, line))) is not None:
        yield found


def _falls_then_rises(outcomes: Sequence[Fraction]) -> bool:
    steps = [after - before for before, after in pairwise(outcomes) if after != before]
    return any(before < 0 < after for before, after in pairwise(steps))


def _out_of_reach(line: TreeLine, bounds: Reach) -> str | None:
    """The ends of its value, where the points only rise or only fall and its best end misses the full ones."""
    if line.indicator.direction not in RISING or isinstance(line.shape, Bands):
        return None
    rises = RISING[line.indicator.direction] > 0
    penalty = line.indicator.direction == "penalty"
    end = bounds.high if rises or penalty else bounds.low
    if end is not None and line.decimals is not None and isinstance(line.shape, Line):
        end = Fraction(ratio_half_up(end.numerator, end.denominator, line.decimals), 10**line.decimals)
    if end is None or line.shape.at(end) == (line.worst if penalty else line.best):
        return None
    side = "more" if rises or penalty else "less"
    full = line.indicator.full
    return f"the formula never gives {side} than {shown(end)}: no enterprise reaches the full {full} points"


def _unread(scheme: TreeScheme, days: Iterable[CompiledTree]) -> Iterator[tuple[str, str]]:
    read = {name for compiled in days for name in _read(compiled)}
    for name in scheme.measures:
        if name not in read:
            yield scheme.where("measures.yaml"), f"measure {name} has no reader"


def _read(compiled: CompiledTree) -> set[str]:
    """The measures that something reads on this day."""
    formulas = [node.formula for node in compiled.nodes.values() if node.formula is not None]
    asked = [c.formula for c in (*compiled.checks, *compiled.entry, *compiled.passing, *compiled.direct)]
    formulas += asked + [formula for basis in compiled.bases for formula in basis.formulas]
    read = {name for line in compiled.lines.values() for name in line.inputs}
    return read | {name for formula in formulas for name in formula.inputs}


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


def _without_edge(scheme: TreeScheme, compiled: CompiledTree) -> Iterator[tuple[str, str]]:
    """Every threshold of a step or a band has a case exactly on it, and one on its other side, in the piece beside it.

    The value of a case is worked out from what it supplies; whether its points are right is for the cases' own test.
    """
    try:
        files = tree_cases(scheme).values()
    except BadInput:
        return  # said already
    supplied = [_supplied(compiled, {**of.given, **case.given}) for of in files for case in of.cases]
    for name, line in compiled.lines.items():
        if form_name(line.curve.form) not in STEPS or not isinstance(line.shape, Jumps | Bands):
            continue
        values = {value for measures in supplied if (value := _value(line, measures)) is not None}
        counts = all(value.denominator == 1 for value in values)  # then the next edge may be the next value
        thresholds = [threshold for threshold, _ in line.shape.steps]
        for place, threshold in enumerate(thresholds):
            edge = threshold.place
            if edge not in values:
                yield scheme.where(CASES), f"{name} has no golden case at {shown(edge)}"
            if threshold.past:
                far = thresholds[place + 1].place if place + 1 < len(thresholds) else None
                beside = any(value > edge and (far is None or value < far or counts) for value in values)
            else:
                near = thresholds[place - 1].place if place else None
                beside = any(value < edge and (near is None or value > near or counts) for value in values)
            if not beside:
                side = "above" if threshold.past else "below"
                yield scheme.where(CASES), f"{name} has no golden case just {side} {shown(edge)}"


def _supplied(compiled: CompiledTree, given: Mapping[str, str]) -> dict[str, Fraction | None]:
    """The measures of a case as fractions; a word is its place. What is no number is not held: the case is refused."""
    found: dict[str, Fraction | None] = dict.fromkeys(compiled.measures)
    for name, text in given.items():
        words = compiled.measures[name].words if name in compiled.measures else ()
        try:
            found[name] = Fraction(words.index(text) + 1) if words else Fraction(parse_decimal(text))
        except ValueError:
            found[name] = None
    return found


def _value(line: TreeLine, measures: Mapping[str, Fraction | None]) -> Fraction | None:
    try:
        if line.applicable is not None and line.applicable.exact(measures) is not True:
            return None
        value = line.formula.exact(measures)
    except TooLarge:  # the case is refused
        return None
    return None if value is None else Fraction(value)


def _closed_gates(scheme: TreeScheme, compiled: CompiledTree) -> Iterator[tuple[str, str]]:
    """A condition asks something, and some enterprise in some stage can meet it."""
    gates = {"gates.entry": compiled.entry, "gates.pass": compiled.passing, "gates.direct": compiled.direct}
    known = [_known(compiled, stage) for stage in compiled.stage_ids]
    for key, conditions in {"checks": compiled.checks, **gates}.items():
        where = scheme.where("measures.yaml" if key == "checks" else "scheme.yaml")
        for condition in conditions:
            name, formula = condition.condition.id, condition.formula
            if not formula.inputs:
                yield where, f"condition {name} asks nothing"
            elif not any(may_hold(formula.root, of) for of in known):
                yield where, f"{key}: {name}: no enterprise can meet {formula.text!r}"


def _idle_maxima(scheme: TreeScheme, compiled: CompiledTree) -> Iterator[tuple[str, str]]:
    """A formula that declares more than it ever gives: its scheme promises points that nobody can have."""
    for name, node in compiled.nodes.items():
        if node.formula is None:
            continue
        given = [reach(node.formula.root, _known(compiled, stage)).high for stage in compiled.stage_ids]
        most = max(bounded(node.rule, node.rule.declared[1] if high is None else high) for high in given)
        if most < bounded(node.rule, node.rule.declared[1]):
            said = f"the formula never gives more than {shown(most)}, maximum is {shown(node.rule.declared[1])}"
            yield f"{scheme.where('scheme.yaml')}: tree from {compiled.rule.since}.nodes", f"{name}: {said}"


def _silence_that_pays(scheme: TreeScheme, compiled: CompiledTree) -> Iterator[tuple[str, str]]:
    """A formula that surely falls as something grows, which counts less for who withholds what it stands on."""
    where = f"{scheme.where('scheme.yaml')}: tree from {compiled.rule.since}.nodes"
    counts = {name: compiled.rule.handling(node.rule)[NOT_HELD] for name, node in compiled.nodes.items()}
    silent = {name for name, what in counts.items() if what != "no_result"}
    for name, node in compiled.nodes.items():
        if node.formula is None:
            continue
        root = node.formula.root
        for member in node.reads:
            read = points_name(member) if member in compiled.lines else member
            silently = ", ".join(sorted(silent.intersection([name, *_nodes_below(compiled, member)])))
            if silently and any(slope(root, read, _known(compiled, stage)) == {-1} for stage in compiled.stage_ids):
                gain = f"{name} falls as {read} grows, so who withholds that gains"
                yield where, f"{gain}: write absent: no_result in {silently}"


def _nodes_below(compiled: CompiledTree, name: str) -> Iterator[str]:
    """The node itself and every node that it stands on; nothing of an indicator."""
    if name in compiled.nodes:
        yield name
        for member in compiled.nodes[name].reads:
            yield from _nodes_below(compiled, member)


def _known(compiled: CompiledTree, stage: str) -> dict[str, Reach]:
    """What everything that a condition or a formula node may read lies between in a stage. What is absent may be 0."""
    points = {
        name: (min(low, Fraction(0)), max(high, Fraction(0))) for name, (low, high) in compiled.ranges[stage].items()
    }
    measures = {name: compiled.ends_of(name) for name in compiled.measures}
    values = {
        value_name(name): _outward(_value_span(compiled, line), line.decimals) for name, line in compiled.lines.items()
    }
    return {**measures, **values, **spans(points), "total": Reach(*points[compiled.rule.root])}


def _value_span(compiled: CompiledTree, line: TreeLine) -> Reach:
    """What the value of an indicator lies between."""
    return reach(line.formula.root, {name: compiled.ends_of(name) for name in line.formula.inputs})


def _outward(span: Reach, decimals: int | None) -> Reach:
    """The ends at so many places, so that what is shown lies within too."""
    if decimals is None:
        return span
    unit = 10**decimals
    low, high = (end if end is None else end * unit for end in (span.low, span.high))
    return Reach(
        None if low is None else Fraction(floor(low), unit), None if high is None else Fraction(ceil(high), unit)
    )


def tree_days_of_change(scheme: TreeScheme) -> list[date]:
    """The first day, and every day on which some rule changes."""
    identity = scheme.identity
    dated: list[Dated] = [*identity.tree, *identity.ranks, *identity.gates]
    dated += scheme.stages.rule if scheme.stages else []
    for indicator in scheme.indicators.values():
        dated += [*indicator.formula, *indicator.curve]
    days = {rule.since for rule in dated} | {identity.valid.since}
    until = identity.valid.until or date.max
    return sorted(day for day in days if identity.valid.since <= day <= until)
