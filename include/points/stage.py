"""The growth stage of an enterprise, by the dated rule of the scheme, with the reason in words (no amounts)."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

import pyarrow as pa

from include.kernel.columns import chunked, sorted_by
from include.schemes.compile import CompiledBasis
from include.schemes.engine import load, session
from include.schemes.expression import Quantity
from include.schemes.formula_sql import huge


class Staged(Protocol):
    """What the stage rule needs of a compiled scheme."""

    @property
    def stage_ids(self) -> list[str]: ...
    @property
    def bases(self) -> tuple[CompiledBasis, ...]: ...
    @property
    def otherwise(self) -> str: ...
    @property
    def measures(self) -> dict[str, Quantity]: ...


def assign(compiled: Staged, measures: pa.Table) -> pa.Table:
    """uscc, stage, stage_reason of every enterprise. The first basis with a value decides, by its highest reading."""
    measures = sorted_by(measures, "uscc")
    stages = compiled.stage_ids
    formulas = [formula for basis in compiled.bases for formula in basis.formulas]
    decisions: dict[int, tuple[str, str]] = {}
    branches = []
    with session() as engine:
        load(engine, "measures", measures, [name for f in formulas for name in f.inputs], compiled.measures)
        readings = ["uscc"]
        for place, basis in enumerate(compiled.bases):
            for which, formula in enumerate(basis.formulas):
                steps = " ".join(
                    f"WHEN {formula.sql()} >= {huge(bound)} THEN {level}"
                    for level, bound in reversed(list(enumerate(basis.thresholds, start=1)))
                )
                known = f"CASE {steps} WHEN {formula.sql()} IS NOT NULL THEN 0 END"
                readings.append(f'{known} AS "level {place} {which}"')
            levels = [f'"level {place} {which}"' for which in range(len(basis.formulas))]
            highest = levels[0] if len(levels) == 1 else f"greatest({', '.join(levels)})"
            for level, stage in enumerate(stages):
                for which, reading in enumerate(levels):
                    code = len(decisions)
                    decisions[code] = (stage, _reason(basis, level, earlier=which > 0))
                    branches.append(f"WHEN {highest} = {level} AND {reading} = {level} THEN {code}")
        decisions[len(decisions)] = (compiled.otherwise, "没有可用的依据，暂列最低阶段")
        query = f"SELECT CASE {' '.join(branches)} ELSE {len(decisions) - 1} END AS decision FROM readings"
        engine.execute(f"CREATE TEMP TABLE readings AS SELECT {', '.join(readings)} FROM measures")
        codes = engine.sql(query).to_arrow_table()["decision"]
    decided = pa.table(
        {
            "stage": pa.array([stage for stage, _ in decisions.values()], pa.string()),
            "stage_reason": pa.array([reason for _, reason in decisions.values()], pa.string()),
        }
    ).take(codes)
    return pa.table({"uscc": chunked(measures["uscc"]), **{n: decided[n] for n in ("stage", "stage_reason")}})


def _reason(basis: CompiledBasis, level: int, *, earlier: bool) -> str:
    """`按营业收入：20,000,000元（含）以上、200,000,000元以下` — the lines that were passed, never the figure itself."""
    rule = basis.basis
    at_line, past_line = ("（含）以上", "以下") if rule.edge == "[a,b)" else ("以上", "（含）以下")
    ends = []
    if level > 0:
        ends.append(f"{_plain(rule.bounds[level - 1])}{rule.unit}{at_line}")
    if level < len(rule.bounds):
        ends.append(f"{_plain(rule.bounds[level])}{rule.unit}{past_line}")
    kept = "（按较早一期，连续低于界线才降级）" if earlier else ""
    return f"按{rule.name}：{'、'.join(ends)}{kept}"


def _plain(bound: Decimal) -> str:
    return f"{bound:,f}"
