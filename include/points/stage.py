"""The growth stage of an enterprise, by the dated rule of the scheme, with the reason in words (no amounts)."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

import numpy as np
import pyarrow as pa

from include.kernel.columns import chunked, sorted_by
from include.kernel.whole import narrow
from include.schemes.compile import CompiledBasis
from include.schemes.engine import load
from include.schemes.expression import Quantity


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
    stages, rows = compiled.stage_ids, measures.num_rows
    columns = load(measures, [n for b in compiled.bases for f in b.formulas for n in f.inputs], compiled.measures)
    decisions = [(compiled.otherwise, "没有可用的依据，暂列最低阶段")]
    decided: np.ndarray = np.zeros(rows, np.int64)
    for basis in reversed(compiled.bases):  # the first basis with a value is written last
        readings = [formula.on_its_side(columns, rows, basis.lines) for formula in basis.formulas]
        bounds = narrow(np.array(basis.thresholds, object))
        levels = [np.where(r.known, np.searchsorted(bounds, r.values, side="right"), -1) for r in readings]
        highest = np.max(levels, axis=0)
        which = np.argmax(levels, axis=0)  # the earliest reading that is as high
        code = len(decisions) + highest * len(levels) + which
        decisions += [
            (stage, _reason(basis, level, earlier=reading > 0))
            for level, stage in enumerate(stages)
            for reading in range(len(levels))
        ]
        decided = np.where(highest >= 0, code, decided)
    named = pa.table(
        {
            "stage": pa.array([stage for stage, _ in decisions], pa.string()),
            "stage_reason": pa.array([reason for _, reason in decisions], pa.string()),
        }
    ).take(pa.array(decided))
    return pa.table({"uscc": chunked(measures["uscc"]), **{n: named[n] for n in ("stage", "stage_reason")}})


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
