"""What an enterprise would gain most by next, and what somebody should look at: read off what is published, and off the
records that the published points stand on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field
from sqlalchemy import Row

from include.evidence.account import NextEdge
from include.evidence.derive import next_edge
from include.kernel.areas import CITY
from include.kernel.errors import InnopointsError
from include.kernel.exact import to_scaled
from include.measures.registry import measures
from include.portal.behind import Behind
from include.portal.published import Portrait
from include.schemes.compile import Compiled
from include.schemes.model import POINT_DECIMALS
from include.schemes.reading import Dated, Exact, Strict, Whole, in_force, parse, read_yaml
from include.schemes.status import IN_QUARANTINE, NOT_HELD

MOST_STEPS = 5
RULES = Path(__file__).with_name("warnings.yaml")
VALID = "有效"
"""The state of a certificate, as every office writes it, that was neither taken back nor suspended."""


class Step(NamedTuple):
    """An indicator, where it stands, and the next edge of its curve."""

    line: Row
    unit: str
    edge: NextEdge


def next_steps(rules: Compiled, found: Portrait) -> list[Step]:
    """The few next edges that give most points, the most first."""
    steps = []
    for line in found.lines:
        rule = rules.indicators.get(line.indicator)
        if rule is None or line.value is None:
            continue
        weight = to_scaled(line.weight, POINT_DECIMALS)
        edge = next_edge(rule.curve.segment_of(line.value), line.value, line.points, weight)
        if edge and edge.points_gain > 0:  # a weight of 0 gives nothing
            steps.append(Step(line, rule.indicator.unit, edge))
    return sorted(steps, key=lambda step: (-step.edge.points_gain, step.line.indicator))[:MOST_STEPS]


class _Certificate(Dated):
    ends_within_days: Whole = Field(ge=1)


class _Headcount(Dated):
    falls_by: Exact = Field(gt=0, le=1)


class _List(Strict):
    about: str
    number: str
    later: list[str]


class _Rules(Strict):
    certificate: list[_Certificate]
    headcount: list[_Headcount]
    lists: dict[str, _List]


class Ending(NamedTuple):
    """A certificate that is valid, and ends soon."""

    dataset: str
    about: str
    number: str
    ends: date


class Fewer(NamedTuple):
    """The insured of December a year before, and of the last December that is closed."""

    before: Decimal
    now: Decimal


class Warnings(NamedTuple):
    """`deducted`: lines that cost points. `shaky`: qualifications held whose conditions are not met any more.
    `held_back`: lines without a value because a record is in quarantine. `late`: sources that did not deliver a good
    snapshot tonight. The others need the records: certificates that end soon (`ending`), a headcount that fell
    (`fewer`), datasets that hold nothing of the enterprise, with how many lines have no value for it (`silent`), and
    the snapshots that hold rows of it in quarantine (`quarantined`); `in_part` says that these were not looked at.
    """

    deducted: Sequence[Row]
    shaky: Sequence[Row]
    held_back: Sequence[Row]
    late: Sequence[Row]
    ending: Sequence[Ending] = ()
    fewer: Sequence[Fewer] = ()
    silent: Sequence[tuple[str, int]] = ()
    quarantined: Sequence[Row] = ()
    in_part: bool = True

    @property
    def any(self) -> bool:
        """Is there anything to look at?"""
        return any(self[:-1])


def warnings(
    found: Portrait, sources: Sequence[Row], records: Behind | None, rules: Compiled | None, as_of: date
) -> Warnings:
    """What to look at, of an enterprise and of the sources of its district and the city; without its records, what the
    published rows say.
    """
    sources = [row for row in sources if row.scope in (found.profile.district, CITY)]
    told = Warnings(
        deducted=[line for line in found.lines if line.points < 0],
        shaky=[
            rung
            for rung in found.ladder
            if rung.holds and any(one["state"] == "not_met" for one in rung.failed_conditions or [])
        ],
        held_back=[line for line in found.lines if line.status == IN_QUARANTINE],
        late=[row for row in sources if row.verdict != "accepted"],
    )
    if records is None:
        return told
    try:
        return told._replace(
            in_part=False,
            ending=ending(records, as_of),
            fewer=fewer(records, as_of),
            silent=silent(found, records, rules) if rules else [],
            quarantined=[row for row in sources if row.quarantined and row.dataset in records.held_back],
        )
    except InnopointsError:  # what is kept of that night is damaged: the published rows are as good as ever
        return told


def ending(records: Behind, as_of: date) -> list[Ending]:
    """The certificates that end soon, the first to end first: of several about the same, the one that ends last counts,
    so that a renewed one is not warned of.
    """
    last_day = as_of + timedelta(days=in_force(_rules().certificate, as_of, str(RULES)).ends_within_days)
    found: list[Ending] = []
    for dataset, columns in _rules().lists.items():
        standing: dict[str, dict[str, Any]] = {}
        for record in sorted(records.records(dataset), key=lambda one: _later(one, columns)):
            standing[record[columns.number]] = record
        ends: dict[str, Ending] = {}
        for number, record in standing.items():
            about, until = record[columns.about], record["valid_until"]
            if record["status"] == VALID and about and until and until > ends.get(about, _NEVER).ends:
                ends[about] = Ending(dataset, about, number, until)
        found += [one for one in ends.values() if as_of <= one.ends <= last_day]
    return sorted(found, key=lambda one: (one.ends, one.dataset, one.about))


def fewer(records: Behind, as_of: date) -> list[Fewer]:
    """The headcount, if it fell by as much as the rule says or more."""
    before, now = (records.measures.get(name) for name in ("insured_december_prior1", "insured_december"))
    least = 1 - in_force(_rules().headcount, as_of, str(RULES)).falls_by
    return [Fewer(before, now)] if before and now is not None and now <= before * least else []


def silent(found: Portrait, records: Behind, rules: Compiled) -> list[tuple[str, int]]:
    """Which datasets hold no record of the enterprise, and how many lines have no value for it; the most lines first.
    Only what would be reported counts: a register that does not name it says zero, which is a value.
    """
    lines: Counter[str] = Counter()
    for line in found.lines:
        rule = rules.indicators.get(line.indicator)
        if rule and line.status == NOT_HELD and line.weight > 0:
            unknown = (measures()[name] for name in rule.inputs if records.measures.get(name) is None)
            lines.update({dataset for one in unknown for dataset in one.datasets})
    missing = [(dataset, count) for dataset, count in lines.items() if not records.records(dataset)]
    return sorted(missing, key=lambda one: (-one[1], one[0]))


def _later(record: dict[str, Any], columns: _List) -> tuple[Any, ...]:
    """What comes last says how a certificate stands; of one day, that it was taken back."""
    first, *others = (record[name] for name in columns.later)
    return first, record["status"] != VALID, *others


_NEVER = Ending("", "", "", date.min)


@cache
def _rules() -> _Rules:
    return parse(_Rules, read_yaml(RULES), str(RULES))
