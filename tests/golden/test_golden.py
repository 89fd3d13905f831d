"""Golden cases: facts and the points they must give, written on paper by whoever answers for the rule.

Each indicator case runs twice: through the nightly engine (all cases as one small city) and the exact reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from include.indicators.evaluate import evaluate
from include.kernel.exact import parse_decimal
from include.measures.registry import measures
from include.points.score import score
from include.points.stage import assign
from include.schemes.compile import Compiled, compile_scheme
from include.schemes.curves import compile_curve
from include.schemes.model import require_scheme
from include.schemes.reading import read_yaml

HERE = Path(__file__).parent
STAGE = "发展期"
NOBODY = pa.table({"uscc": pa.array([], pa.string()), "dataset": pa.array([], pa.string())})


@dataclass(frozen=True)
class Case:
    name: str
    indicator: str
    given: dict[str, str]
    expect: dict[str, str]


def _cases() -> list[Case]:
    cases = []
    for category in ("foundation", "input", "management", "output"):
        for block in read_yaml(HERE / f"{category}.yaml"):
            assert block["source"]
            for case in block["cases"]:
                given = ", ".join(f"{name}={value}" for name, value in case["given"].items()) or "nothing"
                cases.append(Case(f"{block['indicator']} {given}", block["indicator"], case["given"], case["expect"]))
    return cases


CASES = _cases()
STAGE_CASES = read_yaml(HERE / "stages.yaml")


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    return compile_scheme(require_scheme("changzhou_v1"), date(2026, 11, 20), measures())


def _facts(compiled: Compiled, given: list[dict[str, str]]) -> pa.Table:
    columns: dict[str, Any] = {"uscc": pa.array([f"case {number:04}" for number in range(len(given))])}
    for name, quantity in compiled.measures.items():
        held = [parse_decimal(facts[name]) if name in facts else None for facts in given]
        columns[name] = pa.array(held, pa.decimal128(24, quantity.decimals))
    return pa.table(columns)


@pytest.fixture(scope="module")
def scored(compiled: Compiled) -> dict[tuple[int, str], dict[str, Any]]:
    """Every case as one enterprise of a small city, through the nightly engine."""
    unknown = {name for case in CASES for name in case.given} - compiled.measures.keys()
    assert not unknown
    facts = _facts(compiled, [case.given for case in CASES])
    rows = facts.num_rows
    stages = pa.table({"uscc": facts["uscc"], "stage": [STAGE] * rows, "stage_reason": ["golden"] * rows})
    ledger = score(compiled, evaluate(compiled, facts, NOBODY), facts, stages=stages).ledger
    return {(int(line["uscc"][5:]), line["indicator"]): line for line in ledger.to_pylist()}


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.name for case in CASES])
def test_case(number: int, compiled: Compiled, scored: dict[tuple[int, str], dict[str, Any]]) -> None:
    case = CASES[number]
    line = scored[number, case.indicator]
    status = case.expect.get("status", "value")
    found = {"status": line["status"], "points": line["points"]}
    expected: dict[str, Any] = {"status": status, "points": Decimal(case.expect["points"])}
    if status == "value":
        found |= {"value": line["value"], "raw_points": line["raw_points"]}
        expected |= {name: Decimal(case.expect[name]) for name in ("value", "raw_points")}
    assert found == expected

    rule = compiled.indicators[case.indicator]
    if rule.formula is not None and status == "value":
        facts = {n: parse_decimal(case.given[n]) if n in case.given else None for n in compiled.measures}
        value = Decimal(rule.formula.evaluate(facts))
        assert value == expected["value"]
        assert rule.curve.points_at(value) == expected["raw_points"]


def test_the_golden_cases_cover_twenty_indicators_and_every_curve_kind(compiled: Compiled) -> None:
    covered = {case.indicator for case in CASES}
    assert len(covered) >= 20
    kinds = {str(block["curve"]).split("(")[0] for block in read_yaml(HERE / "curves.yaml")}
    assert kinds >= {rule.curve.form.split("(")[0] for rule in compiled.indicators.values()}


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


@pytest.fixture(scope="module")
def stages(compiled: Compiled) -> list[dict[str, str]]:
    return assign(compiled, _facts(compiled, [case["given"] for case in STAGE_CASES])).to_pylist()


@pytest.mark.parametrize("number", range(len(STAGE_CASES)), ids=[str(case["given"]) for case in STAGE_CASES])
def test_stage(number: int, stages: list[dict[str, str]]) -> None:
    assert stages[number]["stage"] == STAGE_CASES[number]["expect"]
    assert (
        "元" in stages[number]["stage_reason"]
        or "年" in stages[number]["stage_reason"]
        or not STAGE_CASES[number]["given"]
    )
