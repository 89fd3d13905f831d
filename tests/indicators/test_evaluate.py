"""Values of the small scheme: exact, complete, and with a reason wherever there is none."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from include.evidence.derive import derive
from include.indicators.evaluate import evaluate
from include.kernel.errors import TerminalError
from include.schemes.compile import Compiled, compile_scheme
from include.schemes.model import load_scheme

SMALL = Path(__file__).parents[1] / "schemes" / "small"


@pytest.fixture(scope="module")
def small() -> Compiled:
    return compile_scheme(load_scheme(SMALL), date(2026, 1, 1), {})


def _measures(small: Compiled, **columns: list[Any]) -> pa.Table:
    rows = len(next(iter(columns.values())))
    table: dict[str, Any] = {"uscc": pa.array([f"e{number}" for number in range(rows)])}
    for name, quantity in small.measures.items():
        held = [None if v is None else Decimal(str(v)) for v in columns.get(name, [None] * rows)]
        table[name] = pa.array(held, pa.decimal128(24, quantity.decimals))
    return pa.table(table)


def _pairs(*pairs: tuple[str, str]) -> pa.Table:
    return pa.table(
        {"uscc": pa.array([u for u, _ in pairs], pa.string()), "dataset": pa.array([d for _, d in pairs], pa.string())}
    )


def _of(values: pa.Table, indicator: str) -> list[tuple[Decimal | None, str]]:
    return [(r["value"], r["status"]) for r in values.to_pylist() if r["indicator"] == indicator]


def test_every_enterprise_has_a_line_for_every_indicator_in_catalogue_order(small: Compiled) -> None:
    values = evaluate(small, _measures(small, rd=[1, 2, 3]), _pairs())
    assert values.num_rows == 3 * 7
    assert values["indicator"].to_pylist() == [name for name in small.indicators for _ in range(3)]
    assert values["uscc"].to_pylist() == ["e0", "e1", "e2"] * 7


def test_a_ratio_is_exact_and_rounds_half_up(small: Compiled) -> None:
    values = evaluate(small, _measures(small, rd=[1, 2, "0.01", 5], revenue=[3, 3, 20000, 0]), _pairs())
    assert [value for value, _ in _of(values, "ABI-01")] == [
        Decimal("0.333333"),
        Decimal("0.666667"),
        Decimal("0.000001"),
        None,
    ]


def test_whether_it_applies_must_be_known_before_it_has_a_value(tmp_path: Path) -> None:
    """An unknown is never read as the better answer (ADR 9); the reference for explanations says the same."""
    copy = shutil.copytree(SMALL, tmp_path / "small")
    path = copy / "ability" / "ABI-03.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("when: revenue > 0", "when: rd > 0"), encoding="utf-8")
    rules = compile_scheme(load_scheme(copy), date(2026, 1, 1), {})
    given = {"debt": [3, 3, 3], "revenue": [10, 10, 10], "rd": [1, 0, None]}
    found = _of(evaluate(rules, _measures(rules, **given), _pairs()), "ABI-03")
    assert found == [(Decimal("0.3"), "value"), (None, "not_applicable"), (None, "not_held")]
    for place, (value, status) in enumerate(found):
        held = dict.fromkeys(rules.measures) | {name: column[place] for name, column in given.items()}
        line = derive(rules, "ABI-03", held, rules.stage_ids[0])
        assert (line.value, line.applies) == (value, status != "not_applicable")


def test_rows_held_back_are_a_reason_of_their_own_but_never_hide_a_value(small: Compiled) -> None:
    rule = small.indicators["ABI-01"]
    reading = replace(small, indicators={**small.indicators, "ABI-01": replace(rule, datasets=("TAX_CIT",))})
    measures = _measures(small, rd=[1, 1, None], revenue=[2, None, None])
    values = evaluate(reading, measures, _pairs(("e0", "TAX_CIT"), ("e1", "TAX_CIT"), ("e2", "HR_INS")))
    assert _of(values, "ABI-01") == [(Decimal("0.5"), "value"), (None, "in_quarantine"), (None, "not_held")]


def test_an_indicator_without_formula_is_not_held(small: Compiled) -> None:
    unserved = replace(small.indicators["ABI-01"], formula=None)
    values = evaluate(
        replace(small, indicators={**small.indicators, "ABI-01": unserved}), _measures(small, rd=[1]), _pairs()
    )
    assert _of(values, "ABI-01") == [(None, "not_held")]


def test_the_order_of_rows_changes_nothing(small: Compiled) -> None:
    measures = _measures(small, rd=[1, 2, 3, 4], revenue=[7, 8, 9, 10], patents=[1, 2, None, 4])
    assert evaluate(small, measures.take([2, 0, 3, 1]), _pairs()).equals(evaluate(small, measures, _pairs()))


def test_binary_floating_point_is_refused(small: Compiled) -> None:
    measures = _measures(small, rd=[1])
    place = measures.column_names.index("rd")
    with pytest.raises(TerminalError, match="rd is double, not an exact number"):
        evaluate(small, measures.set_column(place, "rd", pa.array([0.1])), _pairs())


def test_more_decimals_than_declared_are_refused(small: Compiled) -> None:
    measures = _measures(small, rd=[1])
    place = measures.column_names.index("rd")
    finer = pa.array([Decimal("0.001")], pa.decimal128(24, 3))
    with pytest.raises(TerminalError, match="rd arrived with 3 decimals, declared are 2"):
        evaluate(small, measures.set_column(place, "rd", finer), _pairs())
