"""Points under a scheme with a tree: one enterprise in exact fractions, from measures to the root, gates and checks.

Absence is typed here too, and the result says how sure it is: coverage (the share of the weight that has a value) and
an interval that holds the total, what it is now and whatever it may be once all is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from include.kernel.errors import BadInput
from include.kernel.exact import ratio_half_up
from include.kernel.irrational import TooLarge, recognised
from include.points.interval import interval
from include.points.outcome import Facts, Outcome, own_side, read_by, results
from include.schemes.aggregate import aggregate, bounded, rounded
from include.schemes.compile import COVERAGE_DECIMALS, value_name
from include.schemes.formula import Formula
from include.schemes.shapes import Bands, Jumps, form_name
from include.schemes.status import NOT_APPLICABLE, NOT_HELD, VALUE
from include.schemes.tree import NodeRule, Round, shown, weights_of
from include.schemes.tree_compile import CompiledTree, TreeCondition, TreeLine, TreeNode

UNROUNDED_DECIMALS = 12
"""A result that no rule rounds is shown with at most these places."""

_KEPT = "nothing was written"


@dataclass(frozen=True)
class Scored:
    """One enterprise: its lines and nodes, what is known of the total, and the answers of the conditions."""

    stage: str
    lines: dict[str, Outcome]
    nodes: dict[str, Outcome]
    total: Outcome
    coverage: Fraction
    total_low: Fraction | None
    total_high: Fraction | None
    conditions: dict[str, bool | None]
    passed: str | None


def score_tree(compiled: CompiledTree, facts: Facts, stage: str, where: str) -> Scored:
    """One enterprise. `facts` names every measure of the scheme, None where it is not held."""
    lines = {name: _line(compiled, line, facts, where) for name, line in compiled.lines.items()}
    nodes = _nodes(compiled, lines, facts, stage, where)
    total = nodes[compiled.rule.root]
    answers = _answers(compiled, {**lines, **nodes}, facts)
    for check in compiled.checks:
        if _exact(check.formula, answers, f"{where}: {check.condition.id}") is False:
            raise BadInput(
                f"{check.condition.id}: {check.condition.name}", where=where, kept=_KEPT, todo="correct the measures"
            )
    conditions = {c.condition.id: _answer(c, answers, where) for c in _gates(compiled)}
    ends = interval(compiled, lines, nodes, facts, stage)
    known = [end for end in (total.points, *ends) if end is not None]
    return Scored(
        stage=stage,
        lines=lines,
        nodes=nodes,
        total=total,
        coverage=_coverage(compiled, lines, facts, stage),
        total_low=min(known, default=None),
        total_high=max(known, default=None),
        conditions=conditions,
        passed=_passed(compiled, conditions),
    )


def written(value: Fraction | None, rule: Round | None) -> str:
    """A result as text: its declared places, or as many as it has."""
    if value is None:
        return ""
    if rule is not None:
        return fixed(value, rule.decimals)
    return shown(
        Fraction(ratio_half_up(value.numerator, value.denominator, UNROUNDED_DECIMALS), 10**UNROUNDED_DECIMALS)
    )


def shown_value(line: TreeLine, value: Fraction | None) -> str:
    """An indicator's value as text: a category's word, its declared places, or as many as it has."""
    if value is None:
        return ""
    if line.words:
        return line.words[int(value) - 1]
    return written(value, None) if line.decimals is None else fixed(value, line.decimals)


def fixed(value: Fraction, decimals: int) -> str:
    """A number with exactly so many places, half up."""
    scaled = ratio_half_up(value.numerator, value.denominator, decimals)
    digits = str(abs(scaled)).rjust(decimals + 1, "0")
    sign = "-" if scaled < 0 else ""
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}" if decimals else f"{sign}{digits}"


def _line(compiled: CompiledTree, line: TreeLine, facts: Facts, where: str) -> Outcome:
    """Value, then points: jumps are decided by the exact value, lines by the rounded one where the rule rounds."""
    at = f"{where}: {line.indicator.id}"
    applies = line.applicable is None or _exact(line.applicable, facts, at)
    if applies is False:
        return Outcome(NOT_APPLICABLE, None, None, None)
    found = _exact(line.formula, facts, at) if applies else None
    if found is None:
        return Outcome(NOT_HELD, None, None, None)
    exact = Fraction(found)
    value = exact if line.decimals is None else own_side(exact, line.decimals, line)
    if isinstance(line.shape, Bands):
        assert line.curve.chosen_by is not None
        chosen, (low, high) = facts[line.curve.chosen_by], line.shape.at(exact)
        if chosen is None:
            return Outcome(NOT_HELD, value, None, None, exact)
        if not low <= chosen <= high:
            raise BadInput(
                f"{line.curve.chosen_by} lies outside its band of {shown(low)} to {shown(high)} points",
                where=at,
                kept=_KEPT,
                todo="choose inside the band, or correct the figures",
            )
        return _counted(compiled, value, chosen, exact)
    if form_name(line.curve.form) == "given" and not line.worst <= value <= line.best:
        raise BadInput(
            f"the points given lie outside {shown(line.worst)} to {shown(line.best)}",
            where=at,
            kept=_KEPT,
            todo="give points inside",
        )
    return _counted(compiled, value, line.shape.at(exact if isinstance(line.shape, Jumps) else value), exact)


def _exact(formula: Formula, facts: Facts, where: str) -> Fraction | bool | None:
    """The formula's value; what is too large for it is refused with its place."""
    try:
        return formula.exact(facts)
    except TooLarge as error:
        raise BadInput(str(error), where=where, kept=_KEPT, todo="correct the figures or the formula") from None


def _counted(
    compiled: CompiledTree, value: Fraction | None, points: Fraction, unrounded: Fraction | None = None
) -> Outcome:
    return Outcome(VALUE, value, points, rounded(points, compiled.rule.round_indicators), unrounded)


def _nodes(
    compiled: CompiledTree, lines: Mapping[str, Outcome], facts: Facts, stage: str, where: str
) -> dict[str, Outcome]:
    """Every node from its members, members first."""
    found, nodes = dict(lines), dict[str, Outcome]()
    for name, node in compiled.nodes.items():
        try:
            nodes[name] = found[name] = _node(compiled, node, found, facts, stage)
        except (ValueError, TooLarge) as error:
            raise BadInput(f"node {name}: {error}", where=where, kept=_KEPT) from None
    return nodes


def _node(compiled: CompiledTree, node: TreeNode, found: Mapping[str, Outcome], facts: Facts, stage: str) -> Outcome:
    rule, weights = node.rule, weights_of(node.rule, stage)
    members = {name: found[name] for name in node.reads}
    handling = compiled.rule.handling(rule)
    absent = {name: handling[o.status] for name, o in members.items() if o.points is None}
    measures = [facts[name] for name in (node.formula.inputs if node.formula else ()) if name in facts]
    not_applicable = members and None not in measures and all(o.status == NOT_APPLICABLE for o in members.values())
    nothing = Outcome(NOT_APPLICABLE if not_applicable else NOT_HELD, None, None, None)
    all_left_out = len(absent) == len(members) and set(absent.values()) == {"left_out"}
    too_few = rule.at_least is not None and len(members) - len(absent) < rule.at_least
    if "no_result" in absent.values() or all_left_out or too_few:
        return nothing
    counted = {
        name: o.points if o.points is not None else Fraction(0)
        for name, o in members.items()
        if absent.get(name) != "left_out"
    }
    if node.formula is not None:
        answer = node.formula.exact(read_by(compiled, node, found, facts))
        aggregated = None if answer is None else Fraction(answer)
        if aggregated is not None:
            _require_declared(rule, bounded(rule, aggregated))
    else:
        aggregated = aggregate(rule, counted, weights)
        if node.computed and aggregated is not None:
            aggregated = recognised(aggregated)
    if aggregated is None:
        return nothing
    exact = bounded(rule, aggregated)
    held = [*(o.status == VALUE for o in members.values()), *(measure is not None for measure in measures)]
    return Outcome(VALUE if any(held) or not held else nothing.status, None, exact, rounded(exact, rule.round))


def _require_declared(rule: NodeRule, points: Fraction) -> None:
    """A formula's declared ends are what its scheme is checked by."""
    low, high = (bounded(rule, end) for end in rule.declared)
    if not low <= points <= high:
        said = written(points, None)
        raise ValueError(
            f"the formula gives {said}, and declares from {shown(low)} to {shown(high)} (`minimum`, `maximum`)"
        )


def _coverage(compiled: CompiledTree, lines: Mapping[str, Outcome], facts: Facts, stage: str) -> Fraction:
    """The share of the weight that has a value, members first; what does not apply leaves it. To a formula node each
    member, and each measure that it reads itself, weighs the same.
    """
    ranges = compiled.ranges[stage]
    covered: dict[str, Fraction | None] = {
        name: None if o.status == NOT_APPLICABLE else Fraction(o.points is not None) for name, o in lines.items()
    }
    for name, node in compiled.nodes.items():
        weights = weights_of(node.rule, stage)
        known = {m: c for m in node.reads if (c := covered[m]) is not None}
        if node.formula is not None:
            known |= {m: Fraction(facts[m] is not None) for m in node.formula.inputs if m in facts}
        if not known:
            covered[name] = None
        elif node.rule.kind == "best_of":
            covered[name] = max(known.values())
        else:
            share = {m: weights.get(m, Fraction(1)) for m in known}
            if node.rule.kind == "sum":
                share = {m: w * max(ranges[m][1], Fraction(0)) for m, w in share.items()}
            whole = sum(share.values())
            covered[name] = sum((share[m] * c for m, c in known.items()), Fraction(0)) / whole if whole else Fraction(1)
    found = covered[compiled.rule.root] or Fraction(0)
    return Fraction(ratio_half_up(found.numerator, found.denominator, COVERAGE_DECIMALS), 10**COVERAGE_DECIMALS)


def _answers(compiled: CompiledTree, outcomes: Mapping[str, Outcome], facts: Facts) -> Facts:
    """What conditions read: measures, values exactly, points as shown, and nothing of what is not held."""
    exact = {value_name(name): outcomes[name].unrounded for name in compiled.lines}
    nodes = {name: outcomes[name].points if outcomes[name].status != NOT_HELD else None for name in compiled.nodes}
    return {**facts, **results(compiled, outcomes), **exact, **nodes, "total": nodes[compiled.rule.root]}


def _gates(compiled: CompiledTree) -> Iterable[TreeCondition]:
    return (*compiled.entry, *compiled.passing, *compiled.direct)


def _answer(condition: TreeCondition, answers: Facts, where: str) -> bool | None:
    found = _exact(condition.formula, answers, f"{where}: {condition.condition.id}")
    return None if found is None else bool(found)


def _passed(compiled: CompiledTree, answers: Mapping[str, bool | None]) -> str | None:
    """`pass`, `direct` or `fail`; what is unknown does not pass. None: the scheme has no gates.

    Where only direct routes are written, one of them must hold.
    """
    if not any(True for _ in _gates(compiled)):
        return None
    if not all(answers[c.condition.id] for c in compiled.entry):
        return "fail"
    if any(answers[c.condition.id] for c in compiled.direct):
        return "direct"
    only_direct = compiled.direct and not compiled.passing
    return "pass" if not only_direct and all(answers[c.condition.id] for c in compiled.passing) else "fail"
