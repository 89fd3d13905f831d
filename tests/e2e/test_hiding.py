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

pytestmark = pytest.mark.services

DISTRICT = "320411"
ENTERPRISES_TRIED = 10
NOBODY = pa.table({"uscc": pa.array([], pa.string()), "dataset": pa.array([], pa.string())})

SPEAKS_AGAINST = {
    # dataset: which of its records lower a line, so that without them the line is higher (ADR 0009)
    "hr_ins": "a month with fewer staff lowers the mean, one with more is what per-head figures divide by",
    "hr_staff": "the newest quarter, when fewer have the title or the post than the quarter before",
    **dict.fromkeys(
        (
            "fin_eq",
            "fin_loan",
            "hr_talent",
            "ip_other",
            "miit_qual",
            "pol_cash",
            "st_award",
            "st_coop",
            "st_incub",
            "std_cert",
        ),
        "a withdrawal, a cancellation, an end, or a change to less, that arrived as a row of its own",
    ),
    "ip_pat": "a granted patent that lapsed, a young one among old, an application refused",
    "reg_risk": "a penalty, a listing, a newer and worse grade",
    "st_qual": "a cancellation",
    "st_contract": "a contract registered late; last year's turnover; a change to a smaller sum",
    "st_proj": "a project that fell due and was not accepted in time",
    "st_plat": "a newer and worse appraisal; a withdrawal",
    "tax_cit": "last year's revenue or profit, which growth is measured from; a correction of the return",
    "tax_fin": "last year's statement, or a figure that contradicts another source",
    "tax_hnte": "last year's filing, which growth is measured from; a figure that contradicts another source; "
    "the lower tax rate, where no list has the certificate",
    "tax_pay": "a refund; a newer and worse rating",
    "tax_rdd": "a filing with a smaller figure than the source that stands ready behind it",
    "tax_vat": "a month of sales that were not exports",
}
REGISTER_AGAINST = {"reg_risk"}
"""Of these every record speaks against: a department that withholds the whole register clears everybody."""


def _tables(night: Night, code: str) -> dict[str, pa.Table]:
    place = places.conformed(DISTRICT, AS_OF)
    names = set(night.stores.lake.require(place).tables) - {"unresolved", "quarantined"}
    tables = {name: night.stores.lake.read(place, name) for name in sorted(names)}
    return {name: table.filter(pc.equal(table["uscc"], code)) for name, table in tables.items()}


def _points_of(rules: Compiled, city: City, variants: dict[Any, Variant]) -> dict[Any, tuple[dict, dict]]:
    """Totals and lines (points, status) of each variant, all in the stage of the first: hiding moves no weights."""
    measured = city.measured_each(variants)
    rows = [{**row, "uscc": f"{number:06}"} for number, row in enumerate(measured.values())]
    measures = pa.Table.from_pylist(rows, city.schema)
    stage = assign(rules, measures)["stage"][0].as_py()
    same = pa.table({"uscc": measures["uscc"], "stage": [stage] * len(rows), "stage_reason": [""] * len(rows)})
    scored = score(rules, evaluate(rules, measures, NOBODY), measures, stages=same)
    lines: dict[str, dict] = {}
    for line in scored.ledger.to_pylist():
        lines.setdefault(line["uscc"], {})[line["indicator"]] = (line["points"], line["status"])
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


def test_a_single_record_that_is_hidden_raises_a_line_only_where_it_speaks_against(hidden: Any) -> None:
    raised = Counter(
        key[0] for key, (_, before), (_, after) in hidden if any(after[name][0] > before[name][0] for name in before)
    )
    assert set(raised) <= set(SPEAKS_AGAINST), raised


def test_what_is_hidden_and_unknown_now_lies_within_the_interval(hidden: Any) -> None:
    """Where hiding only took values away (every line is as before or not held), the interval holds the old total."""
    taken_away = 0
    for key, (before, old), (after, new) in hidden:
        gone = [name for name in old if new[name] != old[name]]
        if gone and all(new[name] == (0, "not_held") for name in gone):
            taken_away += 1
            assert after["total_low"] <= before["total"] <= after["total_high"], key
    assert taken_away > 10
