"""Golden cases of every installed scheme, each run twice: the nightly engine (all as one small city), the reference.

Who answers for a rule writes its cases (`include/schemes/<scheme>/cases/`); here they are only collected.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from include.indicators.evaluate import evaluate
from include.measures.registry import measures
from include.points.score import score
from include.points.stage import assign
from include.schemes.cases import Case, indicator_cases, stage_cases
from include.schemes.compile import Compiled, compile_scheme
from include.schemes.curves import compile_curve
from include.schemes.model import require_scheme, schemes
from include.schemes.reading import read_yaml
from include.schemes.status import VALUE

HERE = Path(__file__).parent
AS_OF = date(2026, 11, 20)
NOBODY = pa.table({"uscc": pa.array([], pa.string()), "dataset": pa.array([], pa.string())})


@dataclass(frozen=True)
class Golden:
    """One case with where it belongs; `name` is how pytest calls it."""

    scheme: str
    indicator: str
    stage: str
    case: Case

    @property
    def name(self) -> str:
        return f"{self.scheme} {self.indicator} {self.case.name}"


def _golden(scheme: str) -> list[Golden]:
    found = indicator_cases(require_scheme(scheme)).values()
    return [Golden(scheme, one.indicator, case.stage or one.stage, case) for one in found for case in one.cases]


GOLDEN = {scheme: _golden(scheme) for scheme in schemes()}
NUMBERED = [(golden, number) for cases in GOLDEN.values() for number, golden in enumerate(cases)]
STAGES = [(s, number, case) for s in schemes() for number, case in enumerate(stage_cases(require_scheme(s)))]


@cache
def _compiled(scheme: str) -> Compiled:
    return compile_scheme(require_scheme(scheme), AS_OF, measures())


def _facts(compiled: Compiled, given: list[dict[str, Decimal]]) -> pa.Table:
    """One enterprise per case; a measure that no scheme knows is a mistake in the case."""
    assert not {name for facts in given for name in facts} - compiled.measures.keys()
    columns: dict[str, Any] = {"uscc": pa.array([f"case {number:05}" for number in range(len(given))])}
    for name, quantity in compiled.measures.items():
        columns[name] = pa.array([facts.get(name) for facts in given], pa.decimal128(24, quantity.decimals))
    return pa.table(columns)


@cache
def _scored(scheme: str) -> dict[int, dict[str, Any]]:
    """Every case of a scheme as one enterprise of a small city, through the nightly engine."""
    compiled, cases = _compiled(scheme), GOLDEN[scheme]
    facts = _facts(compiled, [golden.case.given for golden in cases])
    stages = pa.table(
        {"uscc": facts["uscc"], "stage": [golden.stage for golden in cases], "stage_reason": ["golden"] * len(cases)}
    )
    values = evaluate(compiled, facts, NOBODY)
    ledger = score(compiled, values, facts, stages=stages).ledger
    places = {(golden.indicator, f"case {number:05}"): number for number, golden in enumerate(cases)}
    found: dict[int, dict[str, Any]] = {}
    for table in (ledger, values.select(["indicator", "uscc", "incomplete"])):
        for line in table.to_pylist():
            if (number := places.get((line["indicator"], line["uscc"]))) is not None:
                found[number] = {**found.get(number, {}), **line}
    return found


def _told(line: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in line.items())


@pytest.mark.parametrize(("golden", "number"), NUMBERED, ids=[golden.name for golden, _ in NUMBERED])
def test_case(golden: Golden, number: int) -> None:
    line, expect = _scored(golden.scheme)[number], golden.case.expect
    found = {"status": line["status"], "points": line["points"], "provisional": line["incomplete"]}
    expected: dict[str, Any] = {
        "status": expect.status,
        "points": expect.points,
        "provisional": expect.provisional,
    }
    if expect.status == VALUE:
        found |= {"value": line["value"], "raw_points": line["raw_points"]}
        expected |= {"value": expect.value, "raw_points": expect.raw_points}
    if found != expected:
        pytest.fail(f"expected {_told(expected)}; found {_told(found)}", pytrace=False)

    compiled = _compiled(golden.scheme)
    rule = compiled.indicators[golden.indicator]
    if rule.formula is not None and expect.status == VALUE:
        given = {name: golden.case.given.get(name) for name in compiled.measures}
        value = Decimal(rule.value(given))
        assert (value, rule.is_provisional(given)) == (expect.value, expect.provisional)
        assert rule.curve.points_at(value) == expect.raw_points


def test_every_curve_kind_in_use_has_its_cases_on_paper() -> None:
    on_paper = {str(block["curve"]).split("(")[0] for block in read_yaml(HERE / "curves.yaml")}
    in_use = {rule.curve.form.split("(")[0] for scheme in schemes() for rule in _compiled(scheme).indicators.values()}
    assert on_paper >= in_use


CURVES = [
    (block["curve"], int(block["decimals"]), block.get("edge", "[a,b)"), value, points)
    for block in read_yaml(HERE / "curves.yaml")
    for value, points in block["points"].items()
]


@pytest.mark.parametrize(
    ("form", "decimals", "edge", "value", "points"), CURVES, ids=[f"{c[0]} {c[2]} at {c[3]}" for c in CURVES]
)
def test_curve(form: str, decimals: int, edge: Any, value: str, points: str) -> None:
    curve = compile_curve(form, decimals=decimals, edge=edge)
    assert curve.points_at(Decimal(value)) == Decimal(points)


@cache
def _stages(scheme: str) -> list[dict[str, str]]:
    compiled = _compiled(scheme)
    return assign(compiled, _facts(compiled, [case.given for case in stage_cases(compiled.scheme)])).to_pylist()


@pytest.mark.parametrize(
    ("scheme", "number", "case"), STAGES, ids=[f"{s} {c.expect} {dict(c.given)}" for s, _, c in STAGES]
)
def test_stage(scheme: str, number: int, case: Any) -> None:
    found = _stages(scheme)[number]
    assert found["stage"] == case.expect
    if case.given:
        assert "元" in found["stage_reason"] or "年" in found["stage_reason"]
