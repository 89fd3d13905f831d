"""What an enterprise would gain most by next, and what somebody should look at: read off what is published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Row

from include.evidence.account import NextEdge
from include.evidence.derive import next_edge
from include.kernel.areas import CITY
from include.kernel.exact import to_scaled
from include.portal.published import Portrait
from include.schemes.compile import Compiled
from include.schemes.model import POINT_DECIMALS
from include.schemes.status import IN_QUARANTINE

MOST_STEPS = 5


class Step(NamedTuple):
    """An indicator, where it stands, and the next edge of its curve."""

    line: Row
    unit: str
    edge: NextEdge


def next_steps(rules: Compiled, found: Portrait) -> list[Step]:
    """The few next edges that give most points, the most first. Where less is better the next edge above gives nothing
    and is left out.
    """
    steps = []
    for line in found.lines:
        rule = rules.indicators.get(line.indicator)
        if rule is None or line.value is None:
            continue
        weight = to_scaled(line.weight, POINT_DECIMALS)
        edge = next_edge(rule.curve.segment_of(line.value), line.value, line.points, weight)
        if edge and edge.points_gain > 0:
            steps.append(Step(line, rule.indicator.unit, edge))
    return sorted(steps, key=lambda step: (-step.edge.points_gain, step.line.indicator))[:MOST_STEPS]


class Warnings(NamedTuple):
    """`deducted`: lines that cost points. `shaky`: qualifications held whose conditions are not met any more.
    `held_back`: lines without a value because a record is in quarantine. `late`: sources that did not deliver a good
    snapshot tonight.
    """

    deducted: list[Row]
    shaky: list[Row]
    held_back: list[Row]
    late: list[Row]


def warnings(found: Portrait, sources: Sequence[Row]) -> Warnings:
    """What to look at, of an enterprise and of the sources of its district and the city."""
    scopes = (found.profile.district, CITY)
    return Warnings(
        deducted=[line for line in found.lines if line.points < 0],
        shaky=[
            rung
            for rung in found.ladder
            if rung.holds and any(one["state"] == "not_met" for one in rung.failed_conditions or [])
        ],
        held_back=[line for line in found.lines if line.status == IN_QUARANTINE],
        late=[row for row in sources if row.scope in scopes and row.verdict != "accepted"],
    )
