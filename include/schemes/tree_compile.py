"""A scheme with a tree as it is in force on one day: formulas, shapes and conditions read, the tree put in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from functools import partial

from include.kernel.errors import BadInput
from include.kernel.exact import ratio_half_up
from include.schemes.aggregate import aggregate, bounded
from include.schemes.compile import CompiledBasis, compile_basis, located, value_name
from include.schemes.expression import Cagr, Irrational, Measure, Quantity, Ratio, made_of, parse_unit, walk
from include.schemes.formula import Formula, bounds_on, compile_condition, compile_formula, is_compared_alone
from include.schemes.model import NamedCondition
from include.schemes.reach import ZERO_OR_ONE, Reach, reach
from include.schemes.reading import KEPT, in_force
from include.schemes.shapes import Bands, CurveError, Jumps, Line, Shape, Threshold, no_room, read_shape
from include.schemes.span import Span, as_shown, node_span
from include.schemes.status import NOT_APPLICABLE, NOT_HELD
from include.schemes.tree import (
    MOST_DECIMALS,
    MOST_LEVELS,
    NodeRule,
    RankRule,
    TreeCurve,
    TreeIndicator,
    TreeRule,
    TreeScheme,
    shown,
    weights_of,
)

POINTS = Quantity(0, None)
"""Points of an indicator or a node in a condition: exact, and beside any unit."""


@dataclass(frozen=True)
class TreeLine:
    """One indicator on one day; where its value is a category's code, `words` are the codes.

    `bounds`: where conditions and formula nodes divide its values, beside the jumps of its own curve.
    """

    indicator: TreeIndicator
    formula: Formula
    applicable: Formula | None
    curve: TreeCurve
    shape: Shape
    words: tuple[str, ...]
    bounds: tuple[Threshold, ...] = ()

    @property
    def decimals(self) -> int | None:
        """The places at which the value is rounded before it is scored; None: nowhere."""
        return None if self.indicator.decimals == "exact" else int(self.indicator.decimals)

    @property
    def may_be_rounded(self) -> bool:
        """Whether its value may have more places than are shown."""
        if self.decimals is None or self.formula.is_condition:
            return False
        root = self.formula.root
        endless = any(isinstance(part, Ratio | Cagr | Irrational) for part in made_of(root))
        return endless or root.quantity.decimals > self.decimals

    @property
    def is_computed(self) -> bool:
        """Whether its points come of a logarithm or a root."""
        return self.formula.computed or (isinstance(self.shape, Line) and self.shape.scale != "linear")

    @property
    def best(self) -> Fraction:
        return max(self.shape.outcomes)

    @property
    def worst(self) -> Fraction:
        return min(self.shape.outcomes)

    @property
    def whole(self) -> Span:
        """All that it may come to while nothing is known."""
        reasons = {NOT_HELD, NOT_APPLICABLE} if self.applicable is not None else {NOT_HELD}
        return Span(self.worst, self.best, frozenset(reasons), excusable=self.applicable is not None)

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """What the rounding of its value may not cross."""
        jumps = [step for step, _ in self.shape.steps] if isinstance(self.shape, Jumps | Bands) else []
        return (*jumps, *self.bounds)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The measures it reads."""
        read = [*self.formula.inputs, *(self.applicable.inputs if self.applicable else ())]
        return tuple(dict.fromkeys([*read, *([self.curve.chosen_by] if self.curve.chosen_by else [])]))


@dataclass(frozen=True)
class TreeNode:
    """One node; `reads` are the members or, of a formula, the indicators and nodes it names. `computed`: there are
    logarithms or roots in what it stands on.
    """

    id: str
    rule: NodeRule
    reads: tuple[str, ...]
    formula: Formula | None
    computed: bool = False


@dataclass(frozen=True)
class TreeCondition:
    condition: NamedCondition
    formula: Formula


@dataclass(frozen=True)
class CompiledTree:
    """Everything needed to score one day. `nodes` stand in order: members before the node that reads them."""

    scheme: TreeScheme
    as_of: date
    measures: dict[str, Quantity]
    lines: dict[str, TreeLine]
    rule: TreeRule
    nodes: dict[str, TreeNode]
    ranges: dict[str, dict[str, tuple[Fraction, Fraction]]]
    checks: tuple[TreeCondition, ...]
    entry: tuple[TreeCondition, ...]
    passing: tuple[TreeCondition, ...]
    direct: tuple[TreeCondition, ...]
    ranks: RankRule | None
    bases: tuple[CompiledBasis, ...]
    otherwise: str

    @property
    def stage_ids(self) -> list[str]:
        return self.scheme.stage_ids

    def ends_of(self, measure: str) -> Reach:
        """What a measure lies between: the ends that it declares, the places of its words, or a yes and a no."""
        declared = self.scheme.measures[measure]
        if declared.words:
            return Reach(Fraction(1), Fraction(len(declared.words)))
        if declared.least is None and declared.most is None and declared.unit == "是否":
            return ZERO_OR_ONE
        return Reach(*(None if end is None else Fraction(end) for end in (declared.least, declared.most)))


def compile_tree(scheme: TreeScheme, as_of: date) -> CompiledTree:
    """The scheme on `as_of`, or one line with file, key and reason."""
    valid, file = scheme.identity.valid, scheme.where("scheme.yaml")
    if as_of < valid.since or (valid.until is not None and as_of > valid.until):
        raise BadInput(
            f"the scheme is valid from {valid.since} to {valid.until or 'further notice'}, not on {as_of}",
            where=file,
            kept=KEPT,
            todo="choose a date within, or another scheme",
        )
    known = {n: Quantity(m.decimals, parse_unit(m.unit), tuple(m.words)) for n, m in scheme.measures.items()}
    rule = in_force(scheme.identity.tree, as_of, f"{file}: tree")
    lines = {i.id: compile_line(scheme, i, as_of, known) for i in scheme.indicators.values()}
    results = _results(scheme, rule)
    for name in results:
        if name in known:
            raise BadInput(f"measure {name!r} has the name of a result", where=scheme.where("measures.yaml"), kept=KEPT)
    known_now = {**known, **results}
    nodes, computed = _computed(lines, _in_order(scheme, rule, known_now), rule.root)
    gates = in_force(scheme.identity.gates, as_of, f"{file}: gates") if scheme.identity.gates else None
    ask = partial(_conditions, known=known_now, computed=computed)
    checks = ask(scheme.checks, where=f"{scheme.where('measures.yaml')}: checks")
    entry = ask(gates.entry, where=f"{file}: gates.entry") if gates else ()
    passing = ask(gates.passing, where=f"{file}: gates.pass") if gates else ()
    direct = ask(gates.direct, where=f"{file}: gates.direct") if gates else ()
    for name, node in nodes.items():
        if fault := _decided_by_what_is_shown(node, lines):
            raise BadInput(
                f"key tree from {rule.since}: nodes.{name}: {fault}", where=file, kept=KEPT, todo="correct it"
            )
    reading = [c.formula for c in (*checks, *entry, *passing, *direct)]
    reading += [node.formula for node in nodes.values() if node.formula is not None]
    for name, line in lines.items():
        bounds = [bound for formula in reading for bound in bounds_on(formula, value_name(name))]
        lines[name] = replace(line, bounds=tuple(dict.fromkeys(bounds)))
        fault = no_room(lines[name].thresholds, line.decimals or 0) if line.may_be_rounded else None
        if fault:
            where = scheme.indicator_where(name)
            raise BadInput(
                f"key decimals: {fault}", where=where, kept=KEPT, todo="give it more decimals, or draw one line"
            )
    compiled = CompiledTree(
        scheme=scheme,
        as_of=as_of,
        measures=known,
        lines=lines,
        rule=rule,
        nodes=nodes,
        ranges={stage: _ranges(lines, nodes, rule, stage, file) for stage in scheme.stage_ids},
        checks=checks,
        entry=entry,
        passing=passing,
        direct=direct,
        ranks=in_force(scheme.identity.ranks, as_of, f"{file}: ranks") if scheme.identity.ranks else None,
        bases=_bases(scheme, as_of, known),
        otherwise=_otherwise(scheme, as_of),
    )
    for fault in _faults(compiled):
        raise BadInput(fault, where=file, kept=KEPT, todo="correct it")
    return compiled


def compile_line(scheme: TreeScheme, indicator: TreeIndicator, as_of: date, known: Mapping[str, Quantity]) -> TreeLine:
    """One indicator on one day."""
    where = scheme.indicator_where(indicator.id)
    rule = in_force(indicator.formula, as_of, f"{where}: formula")
    curve = in_force(indicator.curve, as_of, f"{where}: curve")
    at = f"{where}: formula from {rule.since}"
    formula = located(at, lambda: compile_formula(rule.expression, known, decimals=0, unit=indicator.unit, exact=True))
    question, applicable = rule.applicable_when, None
    if question is not None:
        asked = question
        applicable = located(f"{at}.applicable_when", lambda: compile_condition(asked, known, exact=True))
    words = known[formula.inputs[0]].words if formula.inputs == (formula.text.strip(),) else ()

    def shape() -> Shape:
        found = read_shape(
            curve.form,
            full=Fraction(indicator.full),
            edge=curve.edge,
            words={word: place for place, word in enumerate(words, start=1)},
        )
        if isinstance(found, Bands) != (curve.chosen_by is not None):
            raise CurveError("`chosen(…)` and `chosen_by` (the measure with the expert's points) belong together")
        if curve.chosen_by is not None and curve.chosen_by not in known:
            raise CurveError(f"chosen_by: unknown measure {curve.chosen_by!r}")
        return found

    found = located(f"{where}: curve from {curve.since}", shape)
    return TreeLine(indicator, formula, applicable, curve, found, words)


def points_name(indicator: str) -> str:
    """How a condition names an indicator's points: ABC-01 → abc_01_points."""
    return f"{value_name(indicator)}_points"


def _results(scheme: TreeScheme, rule: TreeRule) -> dict[str, Quantity]:
    """What formula nodes and conditions may name beside measures."""
    values = {value_name(i.id): Quantity(0, parse_unit(i.unit)) for i in scheme.indicators.values()}
    points = {points_name(name): POINTS for name in scheme.indicators}
    for name in rule.nodes:
        if name in (*scheme.indicators, *values, *points):
            raise BadInput(
                f"key tree from {rule.since}: nodes.{name}: an indicator has this name",
                where=scheme.where("scheme.yaml"),
                kept=KEPT,
                todo="rename the node",
            )
    return {**values, **points, **dict.fromkeys(rule.nodes, POINTS), "total": POINTS}


def _in_order(scheme: TreeScheme, rule: TreeRule, known: Mapping[str, Quantity]) -> dict[str, TreeNode]:
    """The nodes that the root reads, members first. A circle, or what nobody reads, is refused."""
    file = scheme.where("scheme.yaml")
    by_name = {value_name(i): i for i in scheme.indicators} | {points_name(i): i for i in scheme.indicators}

    def node(name: str) -> TreeNode:
        of = rule.nodes[name]
        if of.expression is None:
            return TreeNode(name, of, tuple(of.of), None)
        expression = of.expression
        at = f"{file}: tree from {rule.since}.nodes.{name}"
        formula = located(at, lambda: compile_formula(expression, known, decimals=0, exact=True))
        if "total" in formula.inputs and "total" not in rule.nodes:
            raise BadInput("a node cannot read the total", where=at, kept=KEPT)
        read = [by_name.get(read, read) for read in formula.inputs]
        return TreeNode(name, of, tuple(dict.fromkeys(r for r in read if r not in scheme.measures)), formula)

    nodes, done, path = {name: node(name) for name in rule.nodes}, dict[str, TreeNode](), list[str]()

    def visit(name: str) -> None:
        if name in path:
            circle = " → ".join([*path[path.index(name) :], name])
            raise BadInput(f"key tree from {rule.since}: circular: {circle}", where=file, kept=KEPT, todo="correct it")
        if name not in nodes or name in done:
            return
        if len(path) >= MOST_LEVELS:
            said = f"key tree from {rule.since}: nodes: more than {MOST_LEVELS} levels"
            raise BadInput(said, where=file, kept=KEPT, todo="correct it")
        path.append(name)
        for read in nodes[name].reads:
            visit(read)
        path.pop()
        done[name] = nodes[name]

    visit(rule.root)
    if idle := [name for name in nodes if name not in done]:
        raise BadInput(
            f"key tree from {rule.since}: node {idle[0]} is read by nobody", where=file, kept=KEPT, todo="remove it"
        )
    return done


def _decided_by_what_is_shown(node: TreeNode, lines: Mapping[str, TreeLine]) -> str | None:
    """A formula node reads values as shown. Held against a number that can be shown too, they lie on the side of the
    exact value; another comparison rounding might decide.
    """
    if node.formula is None:
        return None
    for name in node.reads:
        read = value_name(name)
        if name not in lines or not lines[name].may_be_rounded or read not in node.formula.inputs:
            continue
        places = lines[name].decimals or 0
        instead = f"hold it against numbers of at most {places} decimals, or give {name} `decimals: exact`"
        if not is_compared_alone(node.formula, read):
            return f"a comparison counts with {read}, which is rounded to {places} decimals: {instead}"
        if any((bound.place * 10**places).denominator != 1 for bound in bounds_on(node.formula, read)):
            return f"{read} is rounded to {places} decimals and compared with a number of more: {instead}"
    return None


def _computed(
    lines: Mapping[str, TreeLine], nodes: Mapping[str, TreeNode], root: str
) -> tuple[dict[str, TreeNode], set[str]]:
    """The nodes, knowing whether they stand on logarithms or roots; and what does, by the names that conditions use."""
    computed = {value_name(name) for name, line in lines.items() if line.formula.computed}
    computed |= {points_name(name) for name, line in lines.items() if line.is_computed}
    found: dict[str, TreeNode] = {}
    for name, node in nodes.items():
        members = {points_name(member) if member in lines else member for member in node.reads}
        formula = node.formula and node.formula.reading(computed)
        is_computed = formula.computed if formula else node.rule.kind == "geometric_mean" or bool(members & computed)
        found[name] = replace(node, formula=formula, computed=is_computed)
        if is_computed:
            computed |= {name, "total"} if name == root else {name}
    return found, computed


def _ranges(
    lines: Mapping[str, TreeLine], nodes: Mapping[str, TreeNode], tree: TreeRule, stage: str, file: str
) -> dict[str, tuple[Fraction, Fraction]]:
    """The least and the most points of every indicator and node in a stage, whatever is held, as they are rounded."""
    found = {name: as_shown(line.whole, tree.round_indicators) for name, line in lines.items()}
    for name, node in nodes.items():
        rule, fault = node.rule, None
        if node.formula is not None:
            fault = _beyond_declared(node, _ends(found))
            low, high = (bounded(rule, end) for end in rule.declared)
            found[name] = Span(low, high, frozenset({NOT_HELD}))
        else:
            members = {member: found[member] for member in node.reads}
            try:
                found[name] = node_span(rule, weights_of(rule, stage), members, tree.handling(rule))
            except ValueError as error:
                fault = str(error)
        if fault:
            raise BadInput(f"nodes.{name}: {fault}", where=file, kept=KEPT, todo="correct it")
        found[name] = as_shown(found[name], rule.round)
    return _ends(found)


def _ends(found: Mapping[str, Span]) -> dict[str, tuple[Fraction, Fraction]]:
    """From 0 to 0 where all weights are 0."""
    return {name: (span.low or Fraction(0), span.high or Fraction(0)) for name, span in found.items()}


def spans(ranges: Mapping[str, tuple[Fraction, Fraction]]) -> dict[str, Reach]:
    """What points lie between, by the names that a formula reads them by."""
    return {points_name(name) if "-" in name else name: Reach(*ends) for name, ends in ranges.items()}


def _beyond_declared(node: TreeNode, found: Mapping[str, tuple[Fraction, Fraction]]) -> str | None:
    """What a formula surely gives outside its declared ends: it reads points alone, and nothing twice."""
    rule = node.rule
    assert node.formula is not None
    least, most = rule.declared
    read = [part.name for part in walk(node.formula.root) if isinstance(part, Measure)]
    points = spans(found)
    if len(read) != len(set(read)) or not set(read) <= points.keys():
        return None
    span, low, high = reach(node.formula.root, points), bounded(rule, least), bounded(rule, most)
    if span.high is not None and bounded(rule, span.high) > high:
        return f"the formula gives up to {shown(span.high)}, maximum is {shown(most)}"
    if span.low is not None and bounded(rule, span.low) < low:
        return f"the formula gives down to {shown(span.low)}, minimum is {shown(least)}"
    return None


def _is(most: Fraction, maximum: Fraction) -> bool:
    """The declared maximum, written out as far as it can be where a root has no end."""
    places = 10**MOST_DECIMALS
    cut = Fraction(ratio_half_up(most.numerator, most.denominator, MOST_DECIMALS), places)
    return most == maximum or ((most * places).denominator != 1 and cut == maximum)


def _faults(compiled: CompiledTree) -> Iterator[str]:
    """What the rules come to: everything read, caps that bite, the declared maximum reached exactly."""
    rule = compiled.rule
    asked = [*compiled.checks, *compiled.entry, *compiled.passing, *compiled.direct]
    by_condition = {name for condition in asked for name in condition.formula.inputs}
    in_nodes = {name for node in compiled.nodes.values() for name in node.reads}
    for name in compiled.lines:
        if name not in in_nodes and not by_condition & {value_name(name), points_name(name)}:
            yield f"key tree from {rule.since}: indicator {name} stands in no node"
    for stage, ranges in compiled.ranges.items():
        for name, node in compiled.nodes.items():
            if node.rule.cap is not None and node.rule.kind != "formula":
                uncapped = node.rule.model_copy(update={"cap": None, "floor": None})
                weights = weights_of(uncapped, stage)
                best = aggregate(uncapped, {m: ranges[m][1] for m in weights}, weights)
                if best is not None and best < node.rule.cap:
                    yield f"nodes.{name}: no points reach the cap {shown(node.rule.cap)}; at most {shown(best)}"
        most = ranges[rule.root][1]
        if not _is(most, rule.maximum):
            at = f" in {stage}" if len(compiled.ranges) > 1 else ""
            yield f"key tree from {rule.since}: the most points{at} are {shown(most)}, maximum is {shown(rule.maximum)}"
    for scored in compiled.ranks.cascade if compiled.ranks else []:
        if scored not in compiled.lines and scored not in compiled.nodes:
            yield f"key ranks.cascade: unknown {scored!r}"


def _conditions(
    conditions: list[NamedCondition], *, known: Mapping[str, Quantity], computed: Set[str], where: str
) -> tuple[TreeCondition, ...]:
    found = [
        (c, located(f"{where}: {c.id}", partial(compile_condition, c.when, known, exact=True))) for c in conditions
    ]
    return tuple(TreeCondition(condition, formula.reading(computed)) for condition, formula in found)


def _bases(scheme: TreeScheme, as_of: date, known: Mapping[str, Quantity]) -> tuple[CompiledBasis, ...]:
    if scheme.stages is None:
        return ()
    rule, file = in_force(scheme.stages.rule, as_of, scheme.where("stages.yaml")), scheme.where("stages.yaml")
    return tuple(compile_basis(file, basis, known) for basis in rule.bases)


def _otherwise(scheme: TreeScheme, as_of: date) -> str:
    if scheme.stages is None:
        return scheme.stage_ids[0]
    return in_force(scheme.stages.rule, as_of, scheme.where("stages.yaml")).otherwise
