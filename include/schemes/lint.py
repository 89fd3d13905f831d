"""Publication checks of a scheme: everything that must hold on every day of its validity, not only tonight.

A finding stops the publication; a warning is for whoever signs it (scoring rule R16).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import ceil
from pathlib import Path

from include.kernel.errors import BadInput
from include.kernel.exact import from_scaled, ratio_half_up
from include.schemes.allocate import weight_faults
from include.schemes.cases import IndicatorCases, indicator_cases
from include.schemes.compile import Compiled, CompiledIndicator, MeasureLike, compile_indicator, compile_scheme
from include.schemes.curves import FULL, Curve, Segment
from include.schemes.expression import Constant, Ratio
from include.schemes.model import CASES, POINT_DECIMALS, Indicator, Scheme, has_tree, load_scheme
from include.schemes.reach import ZERO_OR_ONE, Reach, may_hold, reach
from include.schemes.reading import Dated, nearest
from include.schemes.status import VALUE
from include.schemes.tree import TreeScheme, load_tree
from include.schemes.tree_lint import tree_days_of_change, tree_findings


@dataclass(frozen=True, order=True)
class Finding:
    """What was found, with the file it stands in. A warning does not stop the publication."""

    where: str
    what: str
    warning: bool = False

    def __str__(self) -> str:
        told = f"{self.where}: {self.what}" if self.where else self.what
        return f"warning: {told}" if self.warning else told


def lint_directory(
    directory: Path, measures: Mapping[str, MeasureLike], installed: Iterable[Scheme] = ()
) -> list[Finding]:
    """Read and lint a scheme directory. What cannot even be read is the one finding."""
    try:
        if has_tree(directory):
            return sorted({Finding(where, what) for where, what in tree_findings(load_tree(directory))})
        scheme = load_scheme(directory)
    except BadInput as error:
        return [Finding(error.where, error.what)]
    return lint(scheme, measures, installed)


def newest_day(scheme: Scheme | TreeScheme) -> date:
    """The last day on which a rule changes: its rules are the ones that the golden cases are about."""
    return (tree_days_of_change(scheme) if isinstance(scheme, TreeScheme) else _days_of_change(scheme))[-1]


def lint(scheme: Scheme, measures: Mapping[str, MeasureLike], installed: Iterable[Scheme] = ()) -> list[Finding]:
    """All findings, sorted; without any (but warnings) the scheme may be published.

    `installed` are the schemes beside it: a measure of the catalogue must have a reader in one of them.
    """
    found = {Finding(where, fault) for where, fault in weight_faults(scheme)}
    for indicator in scheme.indicators.values():
        found.update(_indicator_findings(scheme, indicator, measures))
    found.update(_national_twice(scheme))
    days = []
    for day in _days_of_change(scheme):
        try:
            days.append(compile_scheme(scheme, day, measures))
        except BadInput as error:
            if not any(error.what == fault.what for fault in found):
                found.add(Finding(error.where, error.what))
    if days:
        at_fault = {finding.where for finding in found}  # mend the rule first; its cases are another matter
        rules = days[-1].indicators.values()
        sound = [rule for rule in rules if scheme.indicator_where(rule.indicator.id) not in at_fault]
        found.update(_case_findings(scheme, sound))
        found.update(_without_reader(scheme, measures, days, installed))
        found.update(finding for compiled in days for finding in _never_met(compiled))
    found.update(_heavy(scheme))
    return sorted(found)


def _never_met(compiled: Compiled) -> Iterator[Finding]:
    """Conditions of the lists that no enterprise can meet: they ask for more than there is."""
    if compiled.lists is None:
        return
    where, rules = compiled.scheme.where("lists.yaml"), compiled.lists
    share, worst = Reach(Fraction(0), Fraction(1)), Fraction(0)
    for stage in compiled.stage_ids:
        floors = (rule.curve.floor * compiled.weights[stage][name] for name, rule in compiled.indicators.items())
        worst = min(worst, Fraction(sum(floors), FULL * 10**POINT_DECIMALS))
    known = {"total": Reach(worst, Fraction(compiled.total, 10**POINT_DECIMALS))}
    known |= {"coverage": share, "percentile_stage": share}
    for question in rules.questions:
        if not may_hold(question.formula.root, known):
            yield Finding(where, f"{question.name}: no enterprise can meet {question.formula.text!r}")
    for name in ("coverage_threshold", "robust_shift"):
        if not 0 <= getattr(rules, name) <= 1:
            yield Finding(where, f"{name}: a share lies between 0 and 1")


# --- one indicator -----------------------------------------------------------------------------------------------


def _indicator_findings(scheme: Scheme, indicator: Indicator, measures: Mapping[str, MeasureLike]) -> Iterator[Finding]:
    where = scheme.indicator_where(indicator.id)
    days = {rule.since for rule in [*indicator.formula, *indicator.curve]} | {scheme.identity.valid.since}
    for day in sorted(days):
        if day < scheme.identity.valid.since:
            continue
        try:
            rule = compile_indicator(scheme, indicator, day, measures)
        except BadInput as error:
            yield Finding(error.where, error.what)
            continue
        for fault in _curve_faults(rule):
            yield Finding(where, f"curve from {rule.curve_rule.since}: {fault}")


def _curve_faults(rule: CompiledIndicator) -> Iterator[str]:
    """The direction is proved segment by segment; a cap that no value reaches would lower everybody's maximum."""
    direction, curve = rule.indicator.direction, rule.curve
    broken = _falls_then_rises(curve) if direction == "range" else curve.breaks_order(direction)
    if direction == "range" and (one_way := _one_way(curve)):
        yield f"the points only {one_way}: that is no range"
    if broken:
        yield f"segment {broken.number} runs against {direction}"
    if direction == "penalty":
        if curve.cap != 0 or curve.floor != -FULL:
            yield "a penalty runs from 0 to -100"
    elif curve.cap != FULL:
        yield "no value reaches 100 raw points"
    elif curve.floor != 0:
        yield "no value gives 0 raw points"
    elif not broken and (highest := _highest_reached(rule)) is not None:
        yield f"the formula never gives more than {highest}: no enterprise reaches 100 raw points"


def _falls_then_rises(curve: Curve) -> Segment | None:
    """The first segment that rises after the curve has fallen: a range is good in one place only."""
    falling, before = False, curve.segments[0].start
    for segment in curve.segments:
        if falling and (segment.start > before or segment.end > segment.start):
            return segment
        falling = falling or segment.start < before or segment.end < segment.start
        before = segment.end
    return None


def _one_way(curve: Curve) -> str | None:
    """A range is left at both ends."""
    ways = (("rise", curve.breaks_order("higher_better")), ("fall", curve.breaks_order("lower_better")))
    return next((way for way, broken in ways if broken is None), None)


def _highest_reached(rule: CompiledIndicator) -> Decimal | None:
    """The formula's own upper bound, when no value up to it reaches the cap of a rising curve."""
    if rule.formula is None or rule.indicator.direction not in ("higher_better", "boolean"):
        return None
    bounds = ZERO_OR_ONE if rule.formula.is_condition else reach(rule.formula.root)
    if bounds.high is None:
        return None
    decimals = rule.indicator.decimals
    highest = from_scaled(ratio_half_up(bounds.high.numerator, bounds.high.denominator, decimals), decimals)
    return highest if rule.curve.points_at(highest) * 1000 < rule.curve.cap else None


def _national_twice(scheme: Scheme) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for indicator in scheme.indicators.values():
        if indicator.national in seen:
            first = seen[indicator.national]
            yield Finding(scheme.indicator_where(indicator.id), f"national {indicator.national} is {first} already")
        elif indicator.national:
            seen[indicator.national] = indicator.id


# --- golden cases ------------------------------------------------------------------------------------------------


def _case_findings(scheme: Scheme, rules: Iterable[CompiledIndicator]) -> Iterator[Finding]:
    """Every indicator that is computed has golden cases on both sides of every edge of its newest curve."""
    try:
        cases = indicator_cases(scheme)
    except BadInput as error:
        yield Finding(error.where, error.what)
        return
    for stray in cases.keys() - scheme.indicators.keys():
        near = nearest(stray, list(scheme.indicators))
        hint = f" (did you mean {near}?)" if near else ""
        yield Finding(_case_file(scheme, stray), f"the scheme has no indicator {stray}{hint}")
    for rule in rules:
        name = rule.indicator.id
        if name not in cases:
            if rule.formula is not None:
                yield Finding(_case_file(scheme, name), f"{name} has no golden case")
        else:
            for fault in _edge_faults(rule, _values(cases[name])):
                yield Finding(_case_file(scheme, name), f"{name} has no golden case {fault}")


def _case_file(scheme: Scheme, name: str) -> str:
    return scheme.where(f"{CASES}/{name}.yaml")


def _values(cases: IndicatorCases) -> list[Decimal]:
    return [case.expect.value for case in cases.cases if case.expect.status == VALUE and case.expect.value is not None]


def _edge_faults(rule: CompiledIndicator, values: Collection[Decimal]) -> Iterator[str]:
    """A jump needs its first value and the last one before it; a bend its own value and a neighbour's."""
    curve, unit = rule.curve, Decimal(1).scaleb(-rule.curve.value_decimals)
    for below, above in curve.edges:
        assert above.lower is not None, "only the first segment is without a lower end"
        edge = from_scaled(above.lower, curve.decimals)
        if below.end != above.start:
            for at in _around(rule, edge):
                if at not in values:
                    yield f"at {at}"
        elif not (below.is_flat and above.is_flat):
            if edge not in values:
                yield f"at {edge}"
            elif not any(v != edge and _beside(curve, v, edge - unit, edge + unit, (below, above)) for v in values):
                yield f"beside {edge}"


def _beside(curve: Curve, value: Decimal, last: Decimal, first: Decimal, sides: tuple[Segment, Segment]) -> bool:
    """On one of the two pieces that meet, or the next value there is (whole numbers may step over a short piece)."""
    return value in (last, first) or curve.segment_of(value).segment in sides


def _around(rule: CompiledIndicator, edge: Decimal) -> tuple[Decimal, Decimal]:
    """The first value of the upper side and the last one of the lower: a mean of whole counts moves by 1/n."""
    unit = Decimal(1).scaleb(-rule.curve.value_decimals)
    root = rule.formula.root if rule.formula else None
    if not isinstance(root, Ratio) or root.numerator.quantity.decimals or not isinstance(root.denominator, Constant):
        return edge, edge - unit
    parts = root.denominator.value
    assert isinstance(parts, Fraction)
    assert parts > 0, "a formula that divides by nothing gives no value to have a case for"
    count = ceil(Fraction(edge) * parts)
    at, below = (Fraction(n) / parts for n in (count, count - 1))
    decimals = rule.curve.value_decimals
    first, last = (from_scaled(ratio_half_up(v.numerator, v.denominator, decimals), decimals) for v in (at, below))
    return first, last


# --- the whole ---------------------------------------------------------------------------------------------------


def _without_reader(
    scheme: Scheme, measures: Mapping[str, MeasureLike], days: list[Compiled], installed: Iterable[Scheme]
) -> Iterator[Finding]:
    """A figure that nobody reads is work and a promise for nothing."""
    read = {name for day in days for name in day.read}
    for name in sorted(scheme.measures.keys() - read):
        yield Finding(scheme.where("measures.yaml"), f"no formula, stage, list or flag reads measure {name}")
    others = [other for other in installed if other.id != scheme.id]
    if not others:
        return
    for other in others:
        read |= {name for day in _days_of_change(other) for name in compile_scheme(other, day, measures).read}
    for name in sorted(measures.keys() - read):
        yield Finding(f"measure {name}", "no formula, stage, list or flag of any installed scheme reads it")


def _heavy(scheme: Scheme) -> Iterator[Finding]:
    """R16: one indicator above a quarter of its category, one category above half of the total."""
    for maxima in scheme.identity.maxima:
        for stage, of_stage in maxima.stages.items():
            for category, most in of_stage.items():
                if most * 2 > maxima.total:
                    what = f"maxima from {maxima.since}: {stage}.{category} is more than half of the total"
                    yield Finding(scheme.where("scheme.yaml"), what, warning=True)
    for rule in scheme.weights.weights:
        for stage, categories in rule.stages.items():
            for category, weights in categories.items():
                counted = {name: w for name, w in weights.items() if not scheme.indicators[name].is_penalty}
                for name, weight in counted.items():
                    if weight * 4 > sum(counted.values()):
                        what = f"weights from {rule.since}: {stage}.{category}.{name} is more than a quarter of it"
                        yield Finding(scheme.where("weights.yaml"), what, warning=True)


def _days_of_change(scheme: Scheme) -> list[date]:
    """The first day, and every day on which some rule changes."""
    identity, rules = scheme.identity, scheme.lists
    dated: list[Dated] = [
        *identity.maxima,
        *identity.rounding,
        *identity.missing,
        *identity.ties,
        *identity.step_edge,
        *identity.log_knots,
        *scheme.stages.rule,
        *scheme.weights.weights,
    ]
    for indicator in scheme.indicators.values():
        dated += [*indicator.formula, *indicator.curve]
    if rules is not None:
        dated += [*rules.coverage_threshold, *rules.robust_shift, *rules.veto, *rules.tie_break]
        dated += [rule for honour in rules.honours for rule in honour.rule]
        dated += [rule for product in rules.credit_products for rule in product.rule]
        dated += [rule for programme in rules.programmes for rule in programme.rule]
        dated += [rule for rung in rules.ladder for rule in rung.rule]
    valid = identity.valid
    days = {rule.since for rule in dated} | {valid.since}
    return sorted(day for day in days if day >= valid.since and (valid.until is None or day <= valid.until))
