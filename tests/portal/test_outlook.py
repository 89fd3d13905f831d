"""Next best steps and warnings, as counted on paper from the curves and the published rows."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from include.portal.outlook import next_steps, warnings
from include.portal.published import Portrait
from include.steps.district import compiled

RULES = compiled("changzhou_v1", date(2026, 11, 23))


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


def test_warnings_are_of_this_enterprise_and_of_the_sources_it_stands_on() -> None:
    def rung(name: str, holds: bool, *states: str) -> Any:
        conditions = [{"condition": "c", "state": state} for state in states]
        return SimpleNamespace(rung=name, holds=holds, failed_conditions=conditions or None)

    def source(dataset: str, scope: str, verdict: str) -> Any:
        return SimpleNamespace(dataset=dataset, scope=scope, verdict=verdict)

    found = warnings(
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
