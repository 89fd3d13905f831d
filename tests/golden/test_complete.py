"""Every rule has its golden cases: each edge of an indicator's curve from both sides, and every way of being absent.

The edges are read off the form as an officer writes it, in the indicator's declared decimals; nothing here asks the
curves that the cases are there to check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

import pytest

from include.evidence.derive import derive
from include.measures.registry import measures
from include.schemes.cases import Case, indicator_cases, stage_cases
from include.schemes.compile import compile_scheme
from include.schemes.model import Indicator, require_scheme
from include.schemes.status import NOT_APPLICABLE, NOT_HELD, VALUE

SCHEME = require_scheme("changzhou_v1")
CASES = indicator_cases(SCHEME)
COMPUTED = [indicator for indicator in SCHEME.indicators.values() if indicator.formula]


# A mean of whole counts over so many years: one count fewer stands beside an edge, not one hundredth.
MEAN_OVER_YEARS = {"OUT-16": 3}


def _one_count_fewer(edge: Decimal, years: int, unit: Decimal) -> Decimal:
    return ((edge * years - 1) / years).quantize(unit, ROUND_HALF_UP)


def _needed(form: str, unit: Decimal) -> list[Decimal]:
    """The values that need a case: at each edge, and one unit beside it on the side that the rule changes."""
    found = re.fullmatch(r"(\w+)\((.*)\)", form.replace(" ", ""))
    assert found, form
    kind, arguments = found[1], found[2].split(";")
    if kind in ("linear", "growth", "band"):
        numbers = [Decimal(number) for number in arguments]
        inside = [(low + unit, high - unit) for low, high in list(pairwise(numbers))[:: 2 if kind == "band" else 1]]
        return [*numbers, *(value for pair in inside for value in pair)]
    if kind == "log":
        cap = Decimal(arguments[1])
        return [Decimal(0), unit, cap - unit, cap]
    steps = [(Decimal(threshold), Decimal(points)) for threshold, points in (a.split(":") for a in arguments)]
    if kind == "bool":
        return [threshold for threshold, _ in steps]
    assert kind in ("step", "penalty"), f"say here what the edges of {kind} are"
    before = [Decimal(0), *(points for _, points in steps)]  # below the first threshold there are no points
    changes = [at for (at, points), earlier in zip(steps, before, strict=False) if points != earlier]
    return [value for at in changes for value in (at - unit, at)]


def _missing(indicator: Indicator) -> Iterator[str]:
    cases: list[Case] = CASES[indicator.id].cases if indicator.id in CASES else []
    held = {case.expect.value for case in cases if case.expect.status == VALUE}
    unit = Decimal(1).scaleb(-indicator.decimals)
    needed = _needed(indicator.curve[-1].form, unit)
    if years := MEAN_OVER_YEARS.get(indicator.id):
        needed = [_one_count_fewer(value + unit, years, unit) if value % 1 else value for value in needed]
    for value in needed:
        if value not in held:
            yield f"{indicator.id}: no golden case at {value:f}"
    statuses = {case.expect.status for case in cases}
    if NOT_HELD not in statuses:
        yield f"{indicator.id}: no golden case where nothing is held"
    if indicator.formula[-1].applicable_when and NOT_APPLICABLE not in statuses:
        yield f"{indicator.id}: no golden case where it is not applicable"
    if indicator.formula[-1].provisional_when and {True, False} != {case.expect.provisional for case in cases}:
        yield f"{indicator.id}: no golden case where it is provisional"


@pytest.mark.parametrize("indicator", COMPUTED, ids=[indicator.id for indicator in COMPUTED])
def test_every_edge_of_an_indicator_has_a_golden_case_on_both_sides(indicator: Indicator) -> None:
    if missing := list(_missing(indicator)):
        pytest.fail("\n".join(missing), pytrace=False)


@pytest.mark.parametrize("indicator", COMPUTED, ids=[indicator.id for indicator in COMPUTED])
def test_golden_cases_say_their_rule_in_chinese_and_show_their_arithmetic(indicator: Indicator) -> None:
    file = CASES[indicator.id]
    unnamed = [case.name for case in file.cases if not re.search(r"[\u4e00-\u9fff]", case.name)]
    twice = {case.name for case in file.cases if [c.name for c in file.cases].count(case.name) > 1}
    assert (unnamed, twice) == ([], set())
    assert len(file.source) > len("ours"), "say who answers for the cases, with the arithmetic"


def test_every_line_of_the_stage_rule_has_a_case_at_it_and_one_unit_beside_it() -> None:
    basis_of = {"营业收入": "operating_revenue_yuan", "成立年限": "age_years"}
    cases = stage_cases(SCHEME)
    for basis in SCHEME.stages.rule[-1].bases:
        alone = {case.given[basis_of[basis.name]] for case in cases if list(case.given) == [basis_of[basis.name]]}
        unit = Decimal(1).scaleb(-basis.decimals)
        beside = -unit if basis.edge == "[a,b)" else unit
        needed = {value for bound in basis.bounds for value in (bound, bound + beside)}
        assert needed - alone == set(), basis.name


FINAL_WITHOUT = {
    # (indicator, measure): why the value is final although with this measure it would be another (ADR 0009)
    ("INP-05", "rd_expense_deduction_yuan_prior2"): "a year that was not filed ends the run of years",
    ("INP-05", "rd_expense_deduction_yuan_prior3"): "likewise",
    ("INP-07", "total_income_yuan"): "who has no certificate owes no A107041 and is taxed at 25 %",
    ("INP-17", "registered_staff"): "stands in the record that has the research posts",
    ("MGT-11", "rd_expense_deduction_yuan"): "the consistency is that of the figures that are there",
    ("MGT-11", "rd_expense_hnte_yuan"): "likewise",
    ("MGT-12", "rdd_correction_no"): "the return without its annex",
    ("OUT-26", "net_assets_yuan"): "a mean over the years that were delivered",
    ("OUT-26", "net_assets_yuan_prior1"): "likewise",
    ("OUT-26", "net_assets_yuan_prior2"): "likewise",
    ("OUT-26", "net_assets_yuan_prior3"): "likewise",
    ("OUT-33", "rd_expense_deduction_yuan_prior1"): "likewise",
    ("OUT-33", "rd_expense_deduction_yuan_prior2"): "likewise",
    ("NAT-04", "registered_staff"): "as INP-17",
    ("NAT-12", "total_income_yuan"): "as INP-07",
}


def test_a_value_that_another_measure_would_change_is_provisional_until_it_is_there_or_said_to_be_final() -> None:
    """Every measure of every golden case that has a value, taken away alone: what is another value then stands in."""
    changed = set()
    for scheme in ("changzhou_v1", "national_core"):
        rules = compile_scheme(require_scheme(scheme), date(2026, 11, 20), measures())
        for name, of in indicator_cases(rules.scheme).items():
            for case in of.cases:
                given = {measure: case.given.get(measure) for measure in rules.measures}
                value = derive(rules, name, given, case.stage or of.stage).value
                for measure in rules.indicators[name].inputs:
                    less = derive(rules, name, {**given, measure: None}, case.stage or of.stage)
                    if None not in (value, less.value) and value != less.value and not less.provisional:
                        changed.add((name, measure))
    assert changed == FINAL_WITHOUT.keys()
