"""Points of every enterprise: curve, weight of its stage, one ledger line per indicator, and sums that add up exactly.

raw points = the curve at the value, half up at three places; points = raw x weight / 100, half up at three places;
category and total = the sum of the shown lines. All of it is integers in thousandths. An absent value gives a line of
0 points with its weight unchanged. Nobody's points depend on another enterprise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from include.kernel.columns import chunked, coded, codes, constant, cut, sorted_by, stack
from include.kernel.errors import TerminalError
from include.kernel.whole import THREADS, from_arrow, quotient, to_decimal
from include.points.stage import assign
from include.schemes.compile import COVERAGE_DECIMALS, Compiled, CompiledIndicator
from include.schemes.curves import FULL
from include.schemes.model import POINT_DECIMALS
from include.schemes.status import NOT_APPLICABLE, STATUSES, VALUE, VALUE_DECIMALS

POINTS = pa.decimal128(9, POINT_DECIMALS)
_KEPT, _COMPUTE_AGAIN = "the last points", "compute the values again"
_CODE = {status: code for code, status in enumerate(STATUSES)}


@dataclass(frozen=True)
class Scored:
    """`profile`: identity and stage; `points`: totals; `ledger`: one line per enterprise and indicator."""

    profile: pa.Table
    points: pa.Table
    ledger: pa.Table

    def tables(self) -> dict[str, pa.Table]:
        """The tables by the names under which they are committed."""
        return {"profile": self.profile, "points": self.points, "ledger": self.ledger}


def score(
    compiled: Compiled,
    values: pa.Table,
    measures: pa.Table,
    enterprises: pa.Table | None = None,
    *,
    stages: pa.Table | None = None,
) -> Scored:
    """Score `values` (from `indicators.evaluate`) of the enterprises of `measures`.

    `enterprises` adds who they are to the profile. `stages` (uscc, stage, stage_reason) replaces the scheme's rule, for
    a what-if. The interval holds the total that the enterprise will have, in this stage, once all is known: total_low =
    what is missing or incomplete gives 0 points and such a penalty deducts in full; total_high = it reaches its cap and
    such a penalty deducts nothing.
    """
    stages = assign(compiled, measures) if stages is None else sorted_by(stages, "uscc")
    try:
        slices = cut(values, "indicator", list(compiled.indicators), "uscc")
    except ValueError as error:
        raise TerminalError(
            str(error), where="values", kept="the last points", todo="compute the values again"
        ) from None
    uscc = chunked(stages["uscc"])
    if any(not part["uscc"].equals(uscc) for part in slices.values()):
        raise TerminalError("values and stages speak of different enterprises", kept=_KEPT, todo=_COMPUTE_AGAIN)
    stage = codes(chunked(stages["stage"]), compiled.scheme.stage_ids)
    rules = list(compiled.indicators.values())
    with ThreadPoolExecutor(THREADS) as pool:
        lines = list(pool.map(lambda rule: _line(compiled, rule, slices[rule.indicator.id], stage), rules))
    return Scored(
        profile=_profile(stages, enterprises),
        points=_totals(compiled, stages, lines, stage),
        ledger=stack([{"uscc": uscc, **line.ledger} for line in lines]),
    )


@dataclass(frozen=True)
class _Line:
    """One indicator of every enterprise: its part of the ledger, and what the sums need of it."""

    rule: CompiledIndicator
    ledger: Mapping[str, pa.ChunkedArray]
    status: np.ndarray
    incomplete: np.ndarray
    points: np.ndarray


def _line(compiled: Compiled, rule: CompiledIndicator, given: pa.Table, stage: np.ndarray) -> _Line:
    value, _ = from_arrow(chunked(given["value"]))
    status = codes(chunked(given["status"]), STATUSES)
    held, weight = status == _CODE[VALUE], _weights(compiled, rule)[stage]
    segment, raw = rule.curve.hits(value.values, VALUE_DECIMALS)
    points = np.where(held, quotient(raw * weight, FULL), 0)
    ledger = {
        "indicator": constant(rule.indicator.id, len(stage)),
        "category": constant(rule.indicator.category, len(stage)),
        "value": chunked(given["value"]),
        "status": coded(status, STATUSES),
        "segment": chunked(pa.array(segment.astype(np.int32), mask=~held)),
        "raw_points": _points(raw, held),
        "weight": _points(weight),
        "points": _points(points),
    }
    return _Line(rule, ledger, status, given["incomplete"].to_numpy(), points)


def _weights(compiled: Compiled, rule: CompiledIndicator) -> np.ndarray:
    """The indicator's weight in each stage, in thousandths: far below 2**40, as raw points are below 2**17."""
    return np.array([compiled.weights[stage][rule.indicator.id] for stage in compiled.scheme.stage_ids], np.int64)


def _totals(compiled: Compiled, stages: pa.Table, lines: Sequence[_Line], stage: np.ndarray) -> pa.Table:
    """Sums of the shown lines; coverage and interval count the weights and ends of what is held and what is missing."""
    nothing: np.ndarray = np.zeros(len(stage), np.int64)
    by_category = dict.fromkeys(compiled.scheme.category_ids, nothing)
    held, applicable, hoped, feared = nothing, nothing, nothing, nothing
    for line in lines:
        rule, weights = line.rule, _weights(compiled, line.rule)
        by_category[rule.indicator.category] = by_category[rule.indicator.category] + line.points
        has_value, excused = line.status == _CODE[VALUE], line.status == _CODE[NOT_APPLICABLE]
        is_open = ~(has_value | excused) | line.incomplete
        best, worst = (0, rule.curve.floor) if rule.indicator.is_penalty else (rule.curve.cap, 0)
        hoped = hoped + np.where(is_open, quotient(weights * best, FULL)[stage] - line.points, 0)
        feared = feared + np.where(is_open, quotient(weights * worst, FULL)[stage] - line.points, 0)
        if rule.indicator.is_penalty:
            continue
        held = held + np.where(has_value, weights[stage], 0)
        applicable = applicable + np.where(excused, 0, weights[stage])
    total = sum(by_category.values(), nothing)
    coverage = quotient(
        held * 10**COVERAGE_DECIMALS, np.maximum(applicable, 1)
    )  # where nothing applies, nothing is held
    return pa.table(
        {
            "uscc": chunked(stages["uscc"]),
            "stage": chunked(stages["stage"]),
            "total": _points(total),
            **{category: _points(points) for category, points in by_category.items()},
            "coverage": to_decimal(coverage, 7, COVERAGE_DECIMALS),
            "total_low": _points(total + feared),
            "total_high": _points(total + hoped),
        }
    )


def _profile(stages: pa.Table, enterprises: pa.Table | None) -> pa.Table:
    if enterprises is None:
        return stages
    enterprises = sorted_by(enterprises, "uscc")
    if not chunked(enterprises["uscc"]).equals(chunked(stages["uscc"])):
        raise TerminalError("enterprises and measures differ", kept=_KEPT, todo="run the measure step again")
    who = {name: enterprises[name] for name in ("uscc", "name", "district", "industry_code", "established_on")}
    return pa.table({**who, "stage": stages["stage"], "stage_reason": stages["stage_reason"]})


def _points(thousandths: np.ndarray, known: np.ndarray | None = None) -> pa.ChunkedArray:
    return to_decimal(thousandths, POINTS.precision, POINTS.scale, known)
