"""Publication checks of a scheme: everything that must hold on every day of its validity, not only tonight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from include.kernel.errors import BadInput
from include.schemes.allocate import weight_faults
from include.schemes.compile import CompiledIndicator, MeasureLike, compile_indicator, compile_scheme
from include.schemes.curves import FULL
from include.schemes.model import Indicator, Scheme, load_scheme
from include.schemes.reading import Dated


@dataclass(frozen=True, order=True)
class Finding:
    """One reason not to publish, with the file it stands in."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def lint_directory(directory: Path, measures: Mapping[str, MeasureLike]) -> list[Finding]:
    """Read and lint a scheme directory. What cannot even be read is the one finding."""
    try:
        scheme = load_scheme(directory)
    except BadInput as error:
        return [Finding(error.where, error.what)]
    return lint(scheme, measures)


def lint(scheme: Scheme, measures: Mapping[str, MeasureLike]) -> list[Finding]:
    """All findings, sorted; an empty list means the scheme may be published."""
    found = {Finding(scheme.id, fault) for fault in weight_faults(scheme)}
    for indicator in scheme.indicators.values():
        found.update(_indicator_findings(scheme, indicator, measures))
    for day in _days_of_change(scheme):
        try:
            compile_scheme(scheme, day, measures)
        except BadInput as error:
            if not any(error.what == fault.what for fault in found):
                found.add(Finding(error.where, error.what))
    return sorted(found)


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
    if broken := curve.breaks_order(direction):
        yield f"segment {broken.number} runs against {direction}"
    if direction == "penalty":
        if curve.cap != 0 or curve.floor != -FULL:
            yield "a penalty runs from 0 to -100"
    elif curve.cap != FULL:
        yield "no value reaches 100 raw points"
    elif curve.floor != 0:
        yield "no value gives 0 raw points"


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
