"""Next best steps and warnings, as counted on paper from the curves and the published rows."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from include.measures.registry import measures
from include.portal.outlook import Warnings, next_steps, warnings
from include.portal.published import Portrait
from include.steps.district import compiled

DAY = date(2026, 11, 23)
RULES = compiled("changzhou_v1", DAY)


def line(indicator: str, value: str | None, points: str, weight: str, status: str = "value") -> Any:
    held = None if value is None else Decimal(value)
    return SimpleNamespace(
        indicator=indicator, value=held, points=Decimal(points), weight=Decimal(weight), status=status
    )


def portrait(*lines: Any, ladder: Any = (), district: str = "320411") -> Portrait:
    profile: Any = SimpleNamespace(district=district)
    return Portrait(profile, profile, lines, [], ladder)


def test_a_step_tells_how_far_the_next_edge_is_and_what_it_gives() -> None:
    # INP-03 is linear(0; 0.1): at 0.04 it gives 40 of 100 raw points, so 24 of a weight of 60; the edge is at 0.1
    (step,) = next_steps(RULES, portrait(line("INP-03", "0.04", "24.000", "60.000")))
    assert (step.edge.at, step.edge.distance) == (Decimal("0.1"), Decimal("0.06"))
    assert step.edge.points_gain == Decimal("36.000")


def test_what_is_full_has_no_value_or_is_not_of_the_scheme_is_no_step() -> None:
    lines = (
        line("INP-03", "0.1", "60.000", "60.000"),
        line("INP-04", None, "0.000", "20.000", "not_held"),
        line("NAT-01", "1", "0.000", "20.000"),
    )
    assert next_steps(RULES, portrait(*lines)) == []


def test_at_most_five_steps_the_most_points_first() -> None:
    weights = ("10.000", "60.000", "30.000", "20.000", "40.000", "50.000")
    lines = [line("INP-03", "0", "0.000", weight) for weight in weights]
    gains = [step.edge.points_gain for step in next_steps(RULES, portrait(*lines))]
    assert gains == [Decimal(gain) for gain in (60, 50, 40, 30, 20)]


class Records:
    """What stands behind the points, on paper."""

    def __init__(self, held_back: frozenset[str] = frozenset(), **said: Any) -> None:
        self.held_back = held_back
        self.measures = dict.fromkeys(measures()) | said.pop("measures", {})
        self._said = said

    def records(self, dataset: str) -> list[dict[str, Any]]:
        return self._said.get(dataset, [])


def source(dataset: str, scope: str, verdict: str = "accepted", quarantined: int = 0) -> Any:
    return SimpleNamespace(dataset=dataset, scope=scope, verdict=verdict, quarantined=quarantined)


def warned(found: Portrait, sources: Any = (), records: Any = None) -> Warnings:
    return warnings(found, sources, records, RULES, DAY)


def certificate(
    about: str, number: str, until: date | None, published: date, status: str = "有效", line: int = 1
) -> dict[str, Any]:
    said = {"qualification": about, "certificate_no": number, "valid_until": until, "status": status}
    return said | {"published_on": published, "list_batch": "1", "line_no": line}


def test_warnings_are_of_this_enterprise_and_of_the_sources_it_stands_on() -> None:
    def rung(name: str, holds: bool, *states: str) -> Any:
        conditions = [{"condition": "c", "state": state} for state in states]
        return SimpleNamespace(rung=name, holds=holds, failed_conditions=conditions or None)

    found = warned(
        portrait(
            line("MGT-21", "2", "-5.000", "10.000"),
            line("INP-03", None, "0.000", "60.000", "in_quarantine"),
            line("INP-04", None, "0.000", "20.000", "not_held"),
            ladder=[
                rung("高新技术企业", True, "not_met", "not_held"),
                rung("科技型中小企业", True, "not_held"),
                rung("瞪羚企业", False, "not_met"),
                rung("创新型中小企业", True),
            ],
        ),
        [
            source("TAX_CIT", "320411", "not delivered"),
            source("TAX_VAT", "320411", "accepted"),
            source("IP_PAT", "city", "rejected"),
            source("TAX_CIT", "320412", "rejected"),
        ],
    )
    assert [one.indicator for one in found.deducted] == ["MGT-21"]
    assert [one.rung for one in found.shaky] == ["高新技术企业"]
    assert [one.indicator for one in found.held_back] == ["INP-03"]
    assert [(one.dataset, one.scope) for one in found.late] == [("TAX_CIT", "320411"), ("IP_PAT", "city")]


def test_without_the_records_nothing_is_said_of_them() -> None:
    assert warned(portrait(line("INP-03", None, "0.000", "60.000", "not_held")))[4:] == ((), (), (), (), True)


@pytest.mark.parametrize(
    ("until", "warns"),
    [
        (date(2026, 11, 22), False),  # ended yesterday
        (date(2026, 11, 23), True),
        (date(2027, 5, 22), True),  # 180 days from 23 November
        (date(2027, 5, 23), False),
        (None, False),  # no end is printed
    ],
)
def test_a_certificate_is_warned_of_in_its_last_180_days(until: date | None, warns: bool) -> None:
    records = Records(ST_QUAL=[certificate("高新技术企业", "GR1", until, date(2023, 11, 1))])
    assert bool(warned(portrait(), records=records).ending) == warns


def test_a_certificate_that_was_renewed_taken_back_or_is_of_another_kind() -> None:
    soon, later, issued = date(2026, 12, 31), date(2029, 12, 31), date(2023, 11, 1)
    renewed = [
        certificate("高新技术企业", "GR1", soon, issued),
        certificate("高新技术企业", "GR2", later, date(2026, 11, 1)),
    ]
    taken_back = [
        certificate("省瞪羚企业", "D1", soon, issued, "取消", line=1),
        certificate("省瞪羚企业", "D1", soon, issued, line=9),  # the same day: that it was taken back is the last word
    ]
    other = [certificate("科技型中小企业", "K1", soon, issued)]
    found = warned(portrait(), records=Records(ST_QUAL=[*renewed, *taken_back, *other])).ending
    assert [(one.about, one.number, one.ends) for one in found] == [("科技型中小企业", "K1", soon)]


@pytest.mark.parametrize(
    ("before", "now", "warns"), [(100, 70, True), (100, 71, False), (0, 0, False), (None, 5, False), (100, None, False)]
)
def test_a_headcount_that_fell_by_three_tenths_is_warned_of(before: int | None, now: int | None, warns: bool) -> None:
    records = Records(measures={"insured_december_prior1": before, "insured_december": now})
    assert bool(warned(portrait(), records=records).fewer) == warns


def test_a_source_without_a_record_of_the_enterprise_is_told_with_what_it_costs() -> None:
    # INP-03 reads the R&D expense and the revenue (TAX_CIT, TAX_FIN …), INP-04 too; what has a record is not missing
    lines = (
        line("INP-03", None, "0.000", "60.000", "not_held"),
        line("INP-05", None, "0.000", "0.000", "not_held"),  # weighs nothing in this stage
        line("BAS-01", "1", "10.000", "30.000"),
    )
    unknown = {dataset for name in RULES.indicators["INP-03"].inputs for dataset in measures()[name].datasets}
    found = warned(portrait(*lines), records=Records())
    assert found.silent == [(dataset, 1) for dataset in sorted(unknown)]
    one, *others = sorted(unknown)
    assert warned(portrait(*lines), records=Records(**{one: [{"a": 1}]})).silent == [(name, 1) for name in others]


def test_rows_in_quarantine_are_told_of_the_snapshots_that_hold_some_of_the_enterprise() -> None:
    sources = [source("TAX_CIT", "320411", quarantined=2), source("TAX_VAT", "320411", quarantined=1)]
    sources += [source("IP_PAT", "city", quarantined=9), source("TAX_CIT", "320412", quarantined=3)]
    found = warned(portrait(), sources, Records(frozenset({"TAX_CIT", "IP_PAT"}))).quarantined
    assert [(one.dataset, one.scope) for one in found] == [("TAX_CIT", "320411"), ("IP_PAT", "city")]
