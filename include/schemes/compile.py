"""A scheme as it is in force on one day: formulas checked against the measures, curves as segments, exact weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Protocol, TypeVar

from include.kernel.errors import BadInput
from include.kernel.exact import to_scaled
from include.kernel.irrational import decimal_of
from include.schemes.allocate import weight_faults
from include.schemes.curves import Curve, CurveError, compile_curve
from include.schemes.expression import FormulaError, Quantity, parse_unit
from include.schemes.formula import Formula, bounds_on, compile_condition, compile_formula, stands_alone
from include.schemes.model import (
    POINT_DECIMALS,
    Basis,
    Condition,
    CurveRule,
    HonourRule,
    Indicator,
    NightlyFormulaRule,
    ProductRule,
    ProgrammeRule,
    RungRule,
    Scheme,
)
from include.schemes.reading import KEPT, in_force, nearest
from include.schemes.shapes import Threshold, no_room
from include.schemes.status import VALUE_DECIMALS

COVERAGE_DECIMALS = 6
"""Coverage, percentiles and shares are fractions with six places."""

RESULTS = {
    "total": Quantity(POINT_DECIMALS, parse_unit("分")),
    "coverage": Quantity(COVERAGE_DECIMALS, ()),
    "percentile_stage": Quantity(COVERAGE_DECIMALS, ()),
}
"""What a list's condition may name beside measures and indicator values."""

Result = TypeVar("Result")


class MeasureLike(Protocol):
    """What the compiler must know of a measure. `datasets`: the records it is made from."""

    @property
    def unit(self) -> str | None: ...
    @property
    def decimals(self) -> int: ...
    @property
    def datasets(self) -> list[str] | tuple[str, ...]: ...


@dataclass(frozen=True)
class CompiledIndicator:
    """One indicator on one day. Without a formula its value is not held.

    `lines`: where the scheme divides its values (steps of the curve, bounds in the lists); no rounding crosses one.
    """

    indicator: Indicator
    formula: Formula | None
    applicable: Formula | None
    provisional: Formula | None
    datasets: tuple[str, ...]
    curve: Curve
    formula_rule: NightlyFormulaRule | None
    curve_rule: CurveRule
    lines: tuple[Threshold, ...]

    def value(self, measures: Mapping[str, Decimal | int | None]) -> Decimal | bool | None:
        """The value for one enterprise, in fractions: the reference that the nightly columns must equal."""
        return None if self.formula is None else self.formula.evaluate(measures, self.lines)

    def is_provisional(self, measures: Mapping[str, Decimal | int | None]) -> bool:
        """Does the value of one enterprise stand in for one still to come?"""
        return self.provisional is not None and self.provisional.evaluate(measures) is True

    @property
    def inputs(self) -> tuple[str, ...]:
        """The measures it reads."""
        read = [f.inputs for f in (self.formula, self.applicable, self.provisional) if f is not None]
        return tuple(dict.fromkeys(name for names in read for name in names))


@dataclass(frozen=True)
class CompiledBasis:
    """One basis of the stage rule; `thresholds` are the first scaled values of the stages above the lowest."""

    basis: Basis
    formulas: tuple[Formula, ...]
    thresholds: tuple[int, ...]

    @property
    def lines(self) -> tuple[Threshold, ...]:
        """The bounds as no rounding crosses them."""
        return tuple(Threshold(Fraction(bound), past=self.basis.edge == "(a,b]") for bound in self.basis.bounds)


@dataclass(frozen=True)
class Question:
    """A named condition, ready to be asked of every enterprise."""

    name: str
    formula: Formula


@dataclass(frozen=True)
class CompiledLists:
    """The rules of the lists on one day, with their conditions compiled, keyed by the list's name."""

    coverage_threshold: Decimal
    robust_shift: Decimal
    veto: tuple[Question, ...]
    tie_break: tuple[str, ...]
    known: dict[str, Quantity]
    honours: dict[str, tuple[HonourRule, tuple[Question, ...]]]
    products: dict[str, tuple[ProductRule, tuple[Question, ...]]]
    programmes: dict[str, tuple[ProgrammeRule, tuple[Question, ...]]]
    ladder: dict[str, tuple[Question, tuple[Question, ...]]]

    @property
    def questions(self) -> list[Question]:
        """Every condition of every list."""
        ruled = [*self.honours.values(), *self.products.values(), *self.programmes.values()]
        asked = [question for _, conditions in ruled for question in conditions]
        rungs = [question for holds, conditions in self.ladder.values() for question in (holds, *conditions)]
        return [*self.veto, *asked, *rungs]


@dataclass(frozen=True)
class Compiled:
    """Everything the rooms need to score one day under one scheme. Weights and the total are in thousandths."""

    scheme: Scheme
    as_of: date
    measures: dict[str, Quantity]
    indicators: dict[str, CompiledIndicator]
    weights: dict[str, dict[str, int]]
    bases: tuple[CompiledBasis, ...]
    otherwise: str
    total: int
    lists: CompiledLists | None

    @property
    def version(self) -> str:
        return self.scheme.version

    @property
    def stage_ids(self) -> list[str]:
        return self.scheme.stage_ids

    @property
    def read(self) -> set[str]:
        """Every measure that something reads: a formula, the stage rule, a list, a flag."""
        formulas = [formula for basis in self.bases for formula in basis.formulas]
        if self.lists:
            formulas += [question.formula for question in self.lists.questions]
        of_indicators = [name for rule in self.indicators.values() for name in (*rule.inputs, *rule.indicator.flags)]
        return {name for formula in formulas for name in formula.inputs if name in self.measures} | set(of_indicators)

    def of_category(self, category: str) -> list[CompiledIndicator]:
        """A category's indicators in catalogue order."""
        return [rule for rule in self.indicators.values() if rule.indicator.category == category]


def compile_scheme(scheme: Scheme, as_of: date, measures: Mapping[str, MeasureLike]) -> Compiled:
    """The scheme on `as_of`, or one line with file, key and reason. A scheme whose weights do not add up is refused."""
    valid = scheme.identity.valid
    if as_of < valid.since or (valid.until is not None and as_of > valid.until):
        raise BadInput(
            f"the scheme is valid from {valid.since} to {valid.until or 'further notice'}, not on {as_of}",
            where=scheme.where("scheme.yaml"),
            kept=KEPT,
            todo="choose a date within, or another scheme",
        )
    for where, fault in weight_faults(scheme):
        raise BadInput(fault, where=where, kept=KEPT, todo="correct the sums")
    known = quantities(scheme, measures)
    indicators = {i.id: compile_indicator(scheme, i, as_of, measures) for i in scheme.indicators.values()}
    stage_rule = in_force(scheme.stages.rule, as_of, scheme.where("stages.yaml"))
    weights = in_force(scheme.weights.weights, as_of, scheme.where("weights.yaml"))
    maxima = in_force(scheme.identity.maxima, as_of, scheme.where("scheme.yaml"))
    lists = _lists(scheme, as_of, known) if scheme.lists else None
    if lists is not None:
        file = scheme.where("lists.yaml")
        indicators = {name: _with_bounds(rule, lists, file) for name, rule in indicators.items()}
    return Compiled(
        scheme=scheme,
        as_of=as_of,
        measures=known,
        indicators=indicators,
        weights={
            stage: {
                indicator: to_scaled(weight, POINT_DECIMALS)
                for of_category in weights.stages[stage].values()
                for indicator, weight in of_category.items()
            }
            for stage in scheme.stage_ids
        },
        bases=tuple(compile_basis(scheme.where("stages.yaml"), basis, known) for basis in stage_rule.bases),
        otherwise=stage_rule.otherwise,
        total=to_scaled(maxima.total, POINT_DECIMALS),
        lists=lists,
    )


def quantities(scheme: Scheme, measures: Mapping[str, MeasureLike]) -> dict[str, Quantity]:
    """The numbers a formula of this scheme may name: the catalogue's measures and those the scheme brings itself."""
    found = {name: Quantity(measure.decimals, parse_unit(measure.unit or "")) for name, measure in measures.items()}
    for name, declared in scheme.measures.items():
        if name in found:
            raise BadInput(f"measure {name!r} exists already", where=scheme.where("measures.yaml"), kept=KEPT)
        found[name] = Quantity(declared.decimals, parse_unit(declared.unit), tuple(declared.words))
    return found


def compile_indicator(
    scheme: Scheme, indicator: Indicator, as_of: date, measures: Mapping[str, MeasureLike]
) -> CompiledIndicator:
    """One indicator on one day."""
    where, known = scheme.indicator_where(indicator.id), quantities(scheme, measures)
    curve_rule = in_force(indicator.curve, as_of, f"{where}: curve")
    identity, scheme_file = scheme.identity, scheme.where("scheme.yaml")
    knots = in_force(identity.log_knots, as_of, scheme_file)
    curve = located(
        f"{where}: curve from {curve_rule.since}",
        lambda: compile_curve(
            curve_rule.form,
            decimals=indicator.decimals,
            edge=curve_rule.edge or in_force(identity.step_edge, as_of, scheme_file).interval,
            knot_every=knots.every_raw_points,
            knot_decimals=knots.decimals,
        ),
    )
    for flag in indicator.flags:
        if flag not in known:
            near = nearest(flag, list(known))
            hint = f" (did you mean {near}?)" if near else ""
            raise BadInput(
                f"unknown measure {flag!r}{hint}", where=f"{where}: flags", kept=KEPT, todo="correct the file"
            )
    formula = applicable = provisional = rule = None
    datasets: tuple[str, ...] = ()
    if indicator.formula:
        rule = in_force(indicator.formula, as_of, f"{where}: formula")
        expression, at = rule.expression, f"{where}: formula from {rule.since}"
        formula = located(
            at, lambda: compile_formula(expression, known, decimals=indicator.decimals, unit=indicator.unit)
        )
        applicable, provisional = (
            located(f"{at}.{key}", partial(compile_condition, question, known)) if question is not None else None
            for key, question in (
                ("applicable_when", rule.applicable_when),
                ("provisional_when", rule.provisional_when),
            )
        )
        read = [measures[name].datasets for name in formula.inputs if name in measures]
        datasets = tuple(dict.fromkeys(dataset for named in read for dataset in named))
    return CompiledIndicator(
        indicator, formula, applicable, provisional, datasets, curve, rule, curve_rule, curve.thresholds
    )


def compile_basis(file: str, basis: Basis, known: Mapping[str, Quantity]) -> CompiledBasis:
    """One way of telling the stage, with its thresholds as scaled values."""
    where = f"{file}: basis {basis.name}"
    formulas = [
        located(where, partial(compile_formula, text, known, decimals=basis.decimals, unit=basis.unit))
        for text in basis.highest_of
    ]
    above = 1 if basis.edge == "(a,b]" else 0
    try:
        thresholds = tuple(to_scaled(bound, basis.decimals) + above for bound in basis.bounds)
    except ValueError as error:
        raise BadInput(f"bounds: {error}", where=where, kept=KEPT) from None
    return CompiledBasis(basis, tuple(formulas), thresholds)


def _lists(scheme: Scheme, as_of: date, measures: Mapping[str, Quantity]) -> CompiledLists:
    rules, file = scheme.lists, scheme.where("lists.yaml")
    assert rules is not None
    values = {value_name(i.id): Quantity(VALUE_DECIMALS, parse_unit(i.unit)) for i in scheme.indicators.values()}
    known = {**measures, **values, **RESULTS}

    def ask(conditions: list[Condition], where: str) -> tuple[Question, ...]:
        return tuple(
            Question(c.name, located(f"{where}: {c.name}", partial(compile_condition, c.when, known)))
            for c in conditions
        )

    honours = {h.honour: in_force(h.rule, as_of, f"{file}: {h.honour}") for h in rules.honours}
    products = {p.product: in_force(p.rule, as_of, f"{file}: {p.product}") for p in rules.credit_products}
    programmes = {p.programme: in_force(p.rule, as_of, f"{file}: {p.programme}") for p in rules.programmes}
    rungs: dict[str, RungRule] = {r.rung: in_force(r.rule, as_of, f"{file}: {r.rung}") for r in rules.ladder}
    for named in [(name, rule.stages) for name, rule in honours.items()]:
        _known_stages(scheme, f"{file}: {named[0]}", named[1])
    for name, product in products.items():
        _known_stages(scheme, f"{file}: {name}", list(product.base_yuan))
        if missing := [stage for stage in scheme.stage_ids if stage not in product.base_yuan]:
            raise BadInput(f"base_yuan: {missing[0]} is not written", where=f"{file}: {name}", kept=KEPT)
    tie_break = in_force(rules.tie_break, as_of, f"{file}: tie_break")
    for indicator in tie_break.indicators:
        if indicator not in scheme.indicators:
            raise BadInput(f"tie_break: unknown indicator {indicator!r}", where=file, kept=KEPT)
    return CompiledLists(
        coverage_threshold=in_force(rules.coverage_threshold, as_of, f"{file}: coverage_threshold").value,
        robust_shift=in_force(rules.robust_shift, as_of, f"{file}: robust_shift").value,
        veto=ask(in_force(rules.veto, as_of, f"{file}: veto").conditions, f"{file}: veto"),
        tie_break=tuple(tie_break.indicators),
        known=known,
        honours={name: (rule, ask(rule.conditions, f"{file}: {name}")) for name, rule in honours.items()},
        products={name: (rule, ask(rule.conditions, f"{file}: {name}")) for name, rule in products.items()},
        programmes={name: (rule, ask(rule.conditions, f"{file}: {name}")) for name, rule in programmes.items()},
        ladder={
            name: (
                ask([Condition(name=name, when=rule.holds)], f"{file}: {name}.holds")[0],
                ask(rule.conditions, f"{file}: {name}"),
            )
            for name, rule in rungs.items()
        },
    )


def _with_bounds(rule: CompiledIndicator, lists: CompiledLists, file: str) -> CompiledIndicator:
    """The indicator with the bounds that conditions of the lists set to its value, as shown: of no more places."""
    name, unit = value_name(rule.indicator.id), 10**rule.indicator.decimals
    bounds = [bound for question in lists.questions for bound in bounds_on(question.formula, name)]
    for bound in bounds:
        if (bound.place * unit).denominator != 1:
            raise BadInput(
                f"{name} is held against {decimal_of(bound.place)}, and shown with {rule.indicator.decimals} decimals",
                where=file,
                kept=KEPT,
                todo="write a bound of as many, or give the indicator more",
            )
    found = replace(rule, lines=tuple(dict.fromkeys([*rule.lines, *bounds])))
    is_rounded = rule.formula is not None and rule.formula.is_rounded
    for question in lists.questions:
        if is_rounded and not stands_alone(question.formula, name):
            raise BadInput(
                f"{question.name}: {name} is counted with, and only what is shown of it is known here",
                where=file,
                kept=KEPT,
                todo="hold it against numbers alone, or count with measures",
            )
    if is_rounded and (fault := no_room(found.lines, rule.indicator.decimals)):
        raise BadInput(f"{name}: {fault}", where=file, kept=KEPT, todo="give it more decimals, or draw one line")
    return found


def value_name(indicator: str) -> str:
    """How a condition names an indicator's value: INP-03 → inp_03."""
    return indicator.lower().replace("-", "_")


def _known_stages(scheme: Scheme, where: str, stages: list[str]) -> None:
    for stage in stages:
        if stage not in scheme.stage_ids:
            raise BadInput(
                f"unknown stage {stage!r}", where=where, kept=KEPT, todo=f"use one of {', '.join(scheme.stage_ids)}"
            )


def located(where: str, read: Callable[[], Result]) -> Result:
    """`read`, with the file and key added to what it refuses."""
    try:
        return read()
    except (FormulaError, CurveError) as error:
        raise BadInput(str(error), where=where, kept=KEPT, todo="correct the file") from None
