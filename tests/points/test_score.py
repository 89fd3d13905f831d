"""Totals, coverage and interval of three enterprises worked out on paper under the small scheme."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from include.indicators.evaluate import evaluate
from include.kernel.errors import TerminalError
from include.points.score import Scored, score
from include.schemes.compile import Compiled

FACTS: dict[str, dict[str, Any]] = {
    # grown (revenue >= 1000). ABI-01 100/2000 = 0.05 -> 50 x 10 = 5; ABI-02 cap -> 10; ABI-03 0.4 -> 10; no listing;
    # RES-01 400/1600 = 0.25 -> 45/70 = 64.286 x 30 = 19.2858; RES-02 -> 30; RES-03 -> 10. 25 + 59.286 = 84.286
    "complete": {
        "revenue": 2000,
        "revenue_prior1": 1600,
        "rd": 100,
        "patents": 100,
        "debt": 800,
        "listings": 0,
        "certificate": 1,
        "age": 5,
    },
    # young. Nothing but revenue and two listings: -100 x 10 = -10; at its caps the rest would bring 5 x 20 more.
    "listed": {"revenue": 500, "listings": 2},
    # young by age (3 years belong below the line). No revenue: the debt share does not apply. Held: patents, twice 20
    # of the 80 points that apply.
    "without revenue": {"revenue": 0, "age": 3, "rd": 10, "patents": 0},
}


@pytest.fixture(scope="module")
def result(scored: Callable[[Any], Scored]) -> Scored:
    return scored(FACTS)


def test_totals_coverage_and_interval(result: Scored) -> None:
    found = {row.pop("uscc"): row for row in result.points.to_pylist()}
    assert found["complete"] == {
        "stage": "grown",
        "total": Decimal("84.286"),
        "ability": Decimal("25.000"),
        "result": Decimal("59.286"),
        "coverage": Decimal(1),
        "total_low": Decimal("84.286"),
        "total_high": Decimal("84.286"),
    }
    assert found["listed"] == {
        "stage": "young",
        "total": Decimal(-10),
        "ability": Decimal(-10),
        "result": Decimal(0),
        "coverage": Decimal(0),
        "total_low": Decimal(-10),
        "total_high": Decimal(90),
    }
    assert found["without revenue"]["coverage"] == Decimal("0.5")
    # The register of listings has not come: at worst it deducts all of its 10.
    assert found["without revenue"]["total_low"] == found["without revenue"]["total"] - 10
    assert found["without revenue"]["total_high"] == Decimal(40)


def test_absence_is_typed_and_a_true_zero_is_a_value(result: Scored) -> None:
    lines = {(row["uscc"], row["indicator"]): row for row in result.ledger.to_pylist()}
    kinds = {name: lines["without revenue", name]["status"] for name in ("ABI-01", "ABI-02", "ABI-03", "RES-01")}
    assert kinds == {"ABI-01": "not_held", "ABI-02": "value", "ABI-03": "not_applicable", "RES-01": "not_held"}
    zero = lines["without revenue", "ABI-02"]
    assert (zero["value"], zero["raw_points"], zero["points"], zero["weight"]) == (0, 0, 0, 20)
    absent = lines["without revenue", "ABI-01"]
    assert (absent["value"], absent["raw_points"], absent["segment"]) == (None, None, None)
    assert (absent["points"], absent["weight"]) == (0, 20)


def test_a_penalty_deducts_at_most_its_weight(result: Scored) -> None:
    line = next(r for r in result.ledger.to_pylist() if (r["uscc"], r["indicator"]) == ("listed", "ABI-04"))
    assert (line["raw_points"], line["weight"], line["points"]) == (-100, 10, -10)


def test_the_stage_has_a_reason_without_amounts(result: Scored) -> None:
    reasons = {row["uscc"]: row["stage_reason"] for row in result.profile.to_pylist()}
    assert reasons == {
        "complete": "按收入：1,000元（含）以上",
        "listed": "按收入：1,000元以下",
        "without revenue": "按年限：3年（含）以下",
    }


def test_the_stage_decides_the_weights(small: Compiled, table: Callable[[Any], pa.Table]) -> None:
    """The same facts under the other stage: 10 + 20 + 20 + 12.857 + 20 + 0 = 82.857."""
    measures = table({"complete": FACTS["complete"]})
    nobody = pa.table({"uscc": pa.array([], pa.string()), "dataset": pa.array([], pa.string())})
    stages = pa.table({"uscc": ["complete"], "stage": ["young"], "stage_reason": ["what if"]})
    moved = score(small, evaluate(small, measures, nobody), measures, stages=stages)
    assert moved.points["total"].to_pylist() == [Decimal("82.857")]


def test_values_and_measures_of_different_enterprises_are_refused(
    small: Compiled, table: Callable[[Any], pa.Table]
) -> None:
    nobody = pa.table({"uscc": pa.array([], pa.string()), "dataset": pa.array([], pa.string())})
    values = evaluate(small, table({"a": {}}), nobody)
    with pytest.raises(TerminalError, match="different enterprises"):
        score(small, values, table({"b": {}}))


def test_a_value_from_incomplete_records_counts_and_leaves_the_interval_open(small: Compiled) -> None:
    """R&D 25 of 500 is half marks, 10 of 20; with a row of it in quarantine it may become 0 to 20."""
    rule = small.indicators["ABI-01"]
    reading = replace(small, indicators={**small.indicators, "ABI-01": replace(rule, datasets=("TAX_RDD",))})
    facts = {"uscc": ["held back", "whole"]}
    columns = {name: [None, None] for name in small.measures} | {"rd": [Decimal(25)] * 2, "revenue": [Decimal(500)] * 2}
    measures = pa.table(
        facts | {n: pa.array(columns[n], pa.decimal128(24, q.decimals)) for n, q in small.measures.items()}
    )
    held_back = pa.table({"uscc": ["held back"], "dataset": ["TAX_RDD"]})
    found = {r["uscc"]: r for r in score(reading, evaluate(reading, measures, held_back), measures).points.to_pylist()}
    spoilt, whole = found["held back"], found["whole"]
    assert spoilt["total"] == whole["total"] == 10
    assert (spoilt["coverage"], spoilt["total_high"] - whole["total_high"]) == (whole["coverage"], 10)
    assert whole["total_low"] - spoilt["total_low"] == 10
