"""What the total of one enterprise may be once all is known, under a scheme with a tree."""

from __future__ import annotations

from collections.abc import Mapping, Set
from fractions import Fraction

from include.kernel.irrational import TooLarge
from include.points.outcome import Facts, Outcome, own_side, read_by
from include.schemes.compile import value_name
from include.schemes.decided import is_decided
from include.schemes.expression import may_give_nothing
from include.schemes.formula import Formula
from include.schemes.reach import ANY, Reach, reach
from include.schemes.shapes import Bands, Jumps, Line, Threshold
from include.schemes.span import Span, as_shown, counted, decided_span, formula_span, node_span
from include.schemes.status import NOT_APPLICABLE, NOT_HELD
from include.schemes.tree import weights_of
from include.schemes.tree_compile import CompiledTree, TreeLine, TreeNode, points_name


def interval(
    compiled: CompiledTree, lines: Mapping[str, Outcome], nodes: Mapping[str, Outcome], facts: Facts, stage: str
) -> tuple[Fraction | None, Fraction | None]:
    """The least and the most points of the root; None: it has no result, and will have none."""
    outcomes, spans = {**lines, **nodes}, dict[str, Span]()
    for name, line in compiled.lines.items():
        spans[name] = _line_span(compiled, line, lines[name], facts)
    for name, node in compiled.nodes.items():
        spans[name] = _node_span(compiled, node, outcomes, spans, facts, stage)
    root = spans[compiled.rule.root]
    return root.low, root.high


def _line_span(compiled: CompiledTree, line: TreeLine, outcome: Outcome, facts: Facts) -> Span:
    missing = {name for name in line.inputs if facts[name] is None}
    known, value = _decided(line, facts, missing)
    excusable = line.applicable is not None and not _is_final(line.applicable, facts, missing)
    nothing = known and value is None
    if _is_without(line, facts, missing) or (
        known and not excusable and (nothing or line.curve.chosen_by not in missing)
    ):
        return _final(outcome)
    if nothing:
        return Span(None, None, frozenset({NOT_HELD, NOT_APPLICABLE}), excusable)
    if isinstance(line.shape, Bands):
        outcomes = _choices(line, line.shape, facts, None if value is None else Fraction(value))
    else:
        outcomes = _outcomes(line, {name: _measure(compiled, name, facts) for name in line.formula.inputs})
    reasons = {NOT_APPLICABLE: excusable, NOT_HELD: any(may_give_nothing(formula.root) for formula in _asked(line))}
    absences = frozenset(reason for reason, may_be in reasons.items() if may_be)
    return as_shown(Span(min(outcomes), max(outcomes), absences, excusable), compiled.rule.round_indicators)


def _decided(line: TreeLine, facts: Facts, missing: set[str]) -> tuple[bool, Fraction | bool | None]:
    """Whether the formula's value is final, and it. What is too large for it is refused where it is asked for."""
    try:
        final = _is_final(line.formula, facts, missing)
        return final, line.formula.exact(facts) if final else None
    except TooLarge:
        return False, None


def _is_without(line: TreeLine, facts: Facts, missing: set[str]) -> bool:
    """Whether it surely has no value: it does not apply, or nobody can ever say whether it does."""
    rule = line.applicable
    return rule is not None and _is_final(rule, facts, missing) and not rule.exact(facts)


def _is_final(formula: Formula, facts: Facts, missing: Set[str]) -> bool:
    return is_decided(formula.root, facts, missing, computed=formula.computed)


def _asked(line: TreeLine) -> list[Formula]:
    """What decides on a line's value: its formula, and whether it applies."""
    return [formula for formula in (line.formula, line.applicable) if formula is not None]


def _is_open(compiled: CompiledTree, name: str, facts: Facts) -> bool:
    """Whether the value of an indicator may still change, its points or not."""
    line = compiled.lines[name]
    missing = {read for read in line.inputs if facts[read] is None}
    decided = all(_is_final(formula, facts, missing) for formula in _asked(line))
    return not decided and not _is_without(line, facts, missing)


def _choices(line: TreeLine, shape: Bands, facts: Facts, value: Fraction | None) -> list[Fraction]:
    """Points that an expert has chosen in a band, or may choose yet: in that of the `value`, or in any."""
    assert line.curve.chosen_by is not None
    bands = [shape.below, *(band for _, band in shape.steps)] if value is None else [shape.at(value)]
    chosen = facts[line.curve.chosen_by]
    if chosen is not None and any(low <= chosen <= high for low, high in bands):
        return [chosen]
    return [end for band in bands for end in band]


def _outcomes(line: TreeLine, known: Mapping[str, Reach]) -> list[Fraction]:
    """Points that the curve gives for values that the formula may have: at both ends, and wherever it turns between."""
    assert not isinstance(line.shape, Bands)
    if line.formula.is_condition:
        return line.shape.outcomes
    span = reach(line.formula.root, known)
    jumps = isinstance(line.shape, Jumps)  # decided by the exact value
    low, high = (end if end is None or jumps else _shown(line, end) for end in (span.low, span.high))
    turns = (
        [(Threshold(place, past=False), points) for place, points in line.shape.knots]
        if isinstance(line.shape, Line)
        else line.shape.steps
    )
    between = [p for at, p in turns if (low is None or low <= at.place) and (high is None or at.reached(high))]
    first, *_, last = line.shape.outcomes
    return [first if low is None else line.shape.at(low), *between, last if high is None else line.shape.at(high)]


def _value(compiled: CompiledTree, name: str, facts: Facts) -> Reach:
    """What the value of an indicator lies between, as it is shown."""
    line = compiled.lines[name]
    span = reach(line.formula.root, {read: _measure(compiled, read, facts) for read in line.formula.inputs})
    return Reach(*(None if end is None else _shown(line, end) for end in (span.low, span.high)))


def _shown(line: TreeLine, value: Fraction) -> Fraction:
    return value if line.decimals is None else own_side(value, line.decimals, line)


def _measure(compiled: CompiledTree, name: str, facts: Facts) -> Reach:
    """A measure as it is held, or between the ends that it declares."""
    if (held := facts[name]) is not None:
        return Reach(held, held)
    return compiled.ends_of(name)


def _final(outcome: Outcome) -> Span:
    absences = frozenset({outcome.status} if outcome.points is None else ())
    return Span(outcome.points, outcome.points, absences, excusable=outcome.status == NOT_APPLICABLE)


def _node_span(
    compiled: CompiledTree,
    node: TreeNode,
    outcomes: Mapping[str, Outcome],
    spans: Mapping[str, Span],
    facts: Facts,
    stage: str,
) -> Span:
    members = {name: spans[name] for name in node.reads}
    open_members = {name for name, span in members.items() if span != _final(outcomes[name])}
    handling = compiled.rule.handling(node.rule)
    if node.formula is None:
        if not open_members:
            return _final(outcomes[node.id])
        found = node_span(node.rule, weights_of(node.rule, stage), members, handling)
    else:
        read = read_by(compiled, node, outcomes, facts)
        changing = {name for name in node.formula.inputs if name in facts and facts[name] is None}
        changing |= {name if name in compiled.nodes else points_name(name) for name in open_members}
        changing |= {value_name(name) for name in compiled.lines.keys() & members if _is_open(compiled, name, facts)}
        reasons = {reason for name in open_members for reason in (outcomes[name].status, *spans[name].absences)}
        waits = any(handling.get(reason) == "no_result" for reason in reasons)
        waits |= bool(open_members) and all(outcomes[name].points is None for name in members)
        if not waits and _is_final(node.formula, read, changing):
            final = _final(outcomes[node.id])
            return decided_span(final, members, handling) if open_members or changing else final
        known = {
            name: Reach(value, value) for name, value in read.items() if value is not None and name not in changing
        }
        known |= {name: _measure(compiled, name, facts) for name in changing & facts.keys()}
        for name in open_members:
            known[name if name in compiled.nodes else points_name(name)] = counted(members[name], handling)
        for name in compiled.lines.keys() & members:
            if value_name(name) in changing and not members[name].absences:
                known[value_name(name)] = _value(compiled, name, facts)
        known |= dict.fromkeys(changing - known.keys(), ANY)
        found = formula_span(node.rule, node.formula.root, known, members, handling)
    return as_shown(found, node.rule.round)
