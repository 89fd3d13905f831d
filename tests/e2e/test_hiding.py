"""What happens to points when records are hidden: tried on every kind of record of a whole night, one at a time."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from include.evidence.support import ENTERPRISES, City, Variant
from include.indicators.evaluate import evaluate
from include.measures.run import measure
from include.points.score import score
from include.points.stage import assign
from include.schemes.compile import Compiled
from include.steps.district import compiled
from include.store import lake as places
from tests.e2e.conftest import AS_OF, SCHEME
from tests.e2e.conftest import City as Night

pytestmark = [pytest.mark.services, pytest.mark.long]

DISTRICT = "320411"
ENTERPRISES_TRIED = 10
NOBODY = pa.table({"uscc": pa.array([], pa.string()), "dataset": pa.array([], pa.string())})

SPEAKS_AGAINST = {
    # dataset: which of its records raise which lines when they are hidden (ADR 0009)
    "hr_ins": {
        "a month with fewer staff lowers the mean over the months that were delivered": "BAS-06",
        "a month with more staff, or the year's last, is what per-head figures are divided by": "BAS-12 BAS-13 BAS-14 "
        "BAS-15 BAS-16 BAS-23 OUT-30 OUT-31 OUT-32",
    },
    "hr_staff": {
        "the newest quarter, when fewer have the title or the post than the quarter before": "BAS-12 BAS-13 BAS-14 "
        "BAS-15 INP-16 INP-17 INP-18",
    },
    "hr_talent": {"a permit that ended or was withdrawn": "INP-22"},
    "ip_pat": {
        "a granted patent that lapsed, an application refused": "MGT-08 MGT-09",
        "an invention that was refused, an application that is no invention": "OUT-03 OUT-07",
    },
    "miit_qual": {"a qualification that was withdrawn": "BAS-19"},
    "pol_cash": {"a payment that was paid back": "ENV-11"},
    "reg_risk": {"a penalty, a listing, a newer and worse grade": "MGT-20 MGT-21 MGT-22"},
    "st_contract": {"a contract registered late": "MGT-13", "last year's turnover": "OUT-18"},
    "st_incub": {"an incubation that ended": "ENV-01"},
    "st_plat": {"a newer and worse appraisal, a withdrawal": "MGT-02 MGT-05"},
    "st_proj": {"a project that fell due and was not accepted in time": "MGT-14"},
    "tax_cit": {"a return below the sales that stand in for it": "OUT-24"},
    "tax_fin": {
        "a year of little growth lowers the mean over the years that were delivered": "OUT-26",
        "a statement below the return that stands in for it": "OUT-27",
    },
    "tax_hnte": {
        "a year with less research lowers the mean over the years that were delivered": "INP-04",
        "a filing below the staff records that stand in for it": "INP-17 INP-18",
        "a figure that contradicts another source": "MGT-11",
    },
    "tax_pay": {"a refund, a newer and worse rating": "BAS-05 BAS-10 OUT-31"},
    "tax_rdd": {
        "a filing below the high-tech filing that stands in for it": "INP-01 INP-02 INP-03 INP-15",
        "a figure that contradicts another source": "MGT-11",
        "a correction of the return's annex": "MGT-12",
        "a year with much spent and few applications": "OUT-33",
    },
}
REGISTER_AGAINST = {"reg_risk"}
"""Of these every record speaks against: a department that withholds the whole register clears everybody."""


def _tables(night: Night, code: str) -> dict[str, pa.Table]:
    place = places.conformed(DISTRICT, AS_OF)
    names = set(night.stores.lake.require(place).tables) - {"unresolved", "quarantined"}
    tables = {name: night.stores.lake.read(place, name) for name in sorted(names)}
    return {name: table.filter(pc.equal(table["uscc"], code)) for name, table in tables.items()}


def _points_of(rules: Compiled, city: City, variants: dict[Any, Variant]) -> dict[Any, tuple[dict, dict]]:
    """Totals and lines (points, whether still open) of each variant, all in the first one's stage and its weights."""
    measured = city.measured_each(variants)
    rows = [{**row, "uscc": f"{number:06}"} for number, row in enumerate(measured.values())]
    measures = pa.Table.from_pylist(rows, city.schema)
    stage = assign(rules, measures)["stage"][0].as_py()
    same = pa.table({"uscc": measures["uscc"], "stage": [stage] * len(rows), "stage_reason": [""] * len(rows)})
    values = evaluate(rules, measures, NOBODY)
    scored = score(rules, values, measures, stages=same)
    is_open = {(v["uscc"], v["indicator"]) for v in values.to_pylist() if v["incomplete"] or v["status"] == "not_held"}
    lines: dict[str, dict] = {}
    for line in scored.ledger.to_pylist():
        key = (line["uscc"], line["indicator"])
        lines.setdefault(line["uscc"], {})[line["indicator"]] = (line["points"], key in is_open)
    points = scored.points.to_pylist()
    return {key: (points[place], lines[points[place]["uscc"]]) for place, key in enumerate(variants)}


@pytest.fixture(scope="module")
def hidden(night: Night) -> list[tuple[Any, tuple[dict, dict], tuple[dict, dict]]]:
    """(what is hidden, points with all, points without it): each record alone, and all of a dataset together."""
    rules, found = compiled(SCHEME, AS_OF), []
    codes = night.stores.lake.read(places.conformed(DISTRICT, AS_OF), "enterprises")["uscc"].to_pylist()
    for code in sorted(codes)[:: max(1, len(codes) // ENTERPRISES_TRIED)][:ENTERPRISES_TRIED]:
        tables = _tables(night, code)
        city = City(tables, partial(measure, as_of=AS_OF))
        every = frozenset((name, place) for name in tables if name != ENTERPRISES for place in range(len(tables[name])))
        variants: dict[Any, Variant] = {"nothing": Variant(every)}
        variants |= {row: Variant(every - {row}) for row in sorted(every)}
        for name in sorted({name for name, _ in every}):
            variants[name, "whole"] = Variant(frozenset(row for row in every if row[0] != name))
        points = _points_of(rules, city, variants)
        found += [(key, points["nothing"], points[key]) for key in variants if key != "nothing"]
    return found


def test_who_withholds_everything_owed_to_a_department_never_gains(hidden: Any) -> None:
    whole = [(key[0], before, after) for key, (before, _), (after, _) in hidden if key[1] == "whole"]
    assert len({dataset for dataset, *_ in whole}) > 10, "too few datasets were hidden to show anything"
    raised = Counter(dataset for dataset, before, after in whole if after["total"] > before["total"])
    assert set(raised) <= REGISTER_AGAINST, raised


def test_a_record_that_is_hidden_raises_only_lines_that_it_speaks_against(hidden: Any) -> None:
    raised = {
        (key[0], name) for key, (_, before), (_, after) in hidden for name in before if after[name][0] > before[name][0]
    }
    known = {(d, name) for d, reasons in SPEAKS_AGAINST.items() for names in reasons.values() for name in names.split()}
    assert len(raised) > 10
    assert raised <= known, raised - known


def test_what_is_hidden_and_unknown_now_lies_within_the_interval(hidden: Any) -> None:
    """Where every line that changed is not held now, or stands on another source for a while, the interval holds the
    old total."""
    taken_away = stood_in = 0
    for key, (before, old), (after, new) in hidden:
        changed = [name for name in old if new[name] != old[name]]
        if changed and all(new[name][1] for name in changed):
            taken_away += 1
            stood_in += any(new[name][0] for name in changed)
            assert after["total_low"] <= before["total"] <= after["total_high"], key
    assert min(taken_away, stood_in) > 10
