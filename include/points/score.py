"""Points of every enterprise: curve, weight of its stage, one ledger line per indicator, and sums that add up exactly.

raw points = the curve at the value, half up at three places; points = raw x weight / 100, half up at three places;
category and total = the sum of the shown lines. All of it is integers in thousandths. An absent value gives a line of
0 points with its weight unchanged. Nobody's points depend on another enterprise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from include.kernel.columns import as_decimal, chunked, coded, constant, cut, names, sorted_by, stack, unscaled
from include.kernel.errors import TerminalError
from include.points.stage import assign
from include.schemes.compile import COVERAGE_DECIMALS, Compiled, CompiledIndicator
from include.schemes.curves import FULL
from include.schemes.engine import session
from include.schemes.formula_sql import half_up_sql, half_up_within_sql
from include.schemes.model import POINT_DECIMALS
from include.schemes.status import NOT_APPLICABLE, STATUSES, VALUE, VALUE_DECIMALS

POINTS = pa.decimal128(9, POINT_DECIMALS)
SUMS = ("points", "held", "applicable", "missing", "feared")
"""What a category adds up per enterprise: points, weight with a value, weight that applies, and the two ends of the
interval: points that what is missing may still give, deductions that missing penalties may still make."""
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
    what is missing gives 0 points and a missing penalty deducts in full; total_high = it reaches its cap and a missing
    penalty deducts nothing.
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
    stage_codes = pc.index_in(stages["stage"], value_set=pa.array(compiled.scheme.stage_ids)).cast(pa.int8())
    lines: list[Mapping[str, pa.ChunkedArray]] = []
    sums: dict[str, list[pa.ChunkedArray]] = {name: [] for name in SUMS}
    with session() as engine:
        for category in compiled.scheme.category_ids:
            rules = compiled.of_category(category)
            engine.register("wide", _wide(slices, rules, stage_codes))
            raw, lines_of_stage = _select(compiled, rules)
            engine.execute(f"CREATE OR REPLACE TEMP TABLE raw AS {raw}")
            found = engine.sql(lines_of_stage).to_arrow_table()
            for rule in rules:
                name = rule.indicator.id
                line = slices[name]
                lines.append(
                    {
                        "uscc": uscc,
                        "indicator": constant(name, len(uscc)),
                        "category": constant(category, len(uscc)),
                        "value": chunked(line["value"]),
                        "status": coded(found[f"{name} status"], STATUSES),
                        "segment": found[f"{name} segment"],
                        **{c: _points(found[f"{name} {c}"]) for c in ("raw_points", "weight", "points")},
                    }
                )
            for total, columns in sums.items():
                columns.append(found[total])
    return Scored(
        profile=_profile(stages, enterprises),
        points=_totals(compiled, stages, sums),
        ledger=stack(lines),
    )


def _wide(slices: Mapping[str, pa.Table], rules: list[CompiledIndicator], stage_codes: pa.ChunkedArray) -> pa.Table:
    """One category side by side: value in millionths and status code of each indicator, and the stage."""
    columns: dict[str, pa.ChunkedArray] = {"stage": stage_codes}
    for rule in rules:
        name = rule.indicator.id
        columns[f"{name} value"] = unscaled(chunked(slices[name]["value"]))
        status = chunked(names(slices[name]["status"]))
        columns[f"{name} status"] = pc.index_in(status, value_set=pa.array(STATUSES)).cast(pa.int8())
    return pa.table(columns)


def _select(compiled: Compiled, rules: list[CompiledIndicator]) -> tuple[str, str]:
    """Two narrow stages. Per indicator its raw points, then its line in thousandths; per category the sums that totals,
    coverage and interval need."""
    inputs, curves, lines, outputs = ["stage"], [], [], []
    sums: dict[str, list[str]] = {name: ["CAST(0 AS BIGINT)"] for name in SUMS}
    has_value, excused = _CODE[VALUE], _CODE[NOT_APPLICABLE]
    for rule in rules:
        name, curve = rule.indicator.id, rule.curve
        axis = curve.axis_sql(f'"{name} value"', VALUE_DECIMALS)
        inputs += [f'"{name} status"', f'CASE WHEN "{name} status" = {has_value} THEN {axis} END AS "{name} x"']
        x, weight, points = f'"{name} x"', f'"{name} weight"', f'"{name} points"'
        curves.append(f'{curve.points_sql(x, VALUE_DECIMALS)} AS "{name} raw_points"')
        curves.append(f'CAST({curve.number_sql(x, VALUE_DECIMALS)} AS INTEGER) AS "{name} segment"')
        by_stage = " ".join(
            f"WHEN {code} THEN {compiled.weights[stage][name]}" for code, stage in enumerate(compiled.scheme.stage_ids)
        )
        curves.append(f"CAST(CASE stage {by_stage} END AS BIGINT) AS {weight}")
        line = half_up_within_sql(f'"{name} raw_points" * {weight}', FULL, negative=rule.indicator.is_penalty)
        lines.append(f"coalesce({line}, 0) AS {points}")
        outputs += [f'"{name} status"', f'"{name} segment"', f'"{name} raw_points"', weight, points]
        sums["points"].append(points)
        status = f'"{name} status"'
        unknown = f"{status} NOT IN ({has_value}, {excused})"
        if rule.indicator.is_penalty:
            in_full = half_up_within_sql(f"{weight} * {curve.floor}", FULL, negative=True)
            sums["feared"].append(f"CASE WHEN {unknown} THEN {in_full} ELSE 0 END")
        else:
            sums["held"].append(f"CASE WHEN {status} = {has_value} THEN {weight} ELSE 0 END")
            sums["applicable"].append(f"CASE WHEN {status} <> {excused} THEN {weight} ELSE 0 END")
            at_cap = half_up_within_sql(f"{weight} * {curve.cap}", FULL)
            sums["missing"].append(f"CASE WHEN {unknown} THEN {at_cap} ELSE 0 END")
    added = [f"CAST({' + '.join(parts)} AS BIGINT) AS {name}" for name, parts in sums.items()]
    raw = f"SELECT *, {', '.join(curves)} FROM (SELECT {', '.join(inputs)} FROM wide)"
    return raw, f"SELECT {', '.join(outputs + added)} FROM (SELECT *, {', '.join(lines)} FROM raw)"


def _totals(compiled: Compiled, stages: pa.Table, sums: Mapping[str, list[pa.ChunkedArray]]) -> pa.Table:
    def added(name: str) -> pa.ChunkedArray:
        total = sums[name][0]
        for column in sums[name][1:]:
            total = pc.add(total, column)
        return chunked(total)

    total, missing, feared = added("points"), added("missing"), added("feared")
    by_category = dict(zip(compiled.scheme.category_ids, sums["points"], strict=True))
    sums_of_weight = pa.table({"held": added("held"), "applicable": added("applicable")})
    with session() as engine:
        engine.register("weights", sums_of_weight)
        quotient = half_up_sql(f"(held * {10**COVERAGE_DECIMALS})", "applicable")
        coverage = engine.sql(f"SELECT CAST(coalesce({quotient}, 0) AS BIGINT) AS c FROM weights").to_arrow_table()["c"]
    return pa.table(
        {
            "uscc": chunked(stages["uscc"]),
            "stage": chunked(stages["stage"]),
            "total": _points(total),
            **{category: _points(column) for category, column in by_category.items()},
            "coverage": as_decimal(coverage, 7, COVERAGE_DECIMALS),
            "total_low": _points(chunked(pc.add(total, feared))),
            "total_high": _points(chunked(pc.add(total, missing))),
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


def _points(thousandths: pa.ChunkedArray) -> pa.ChunkedArray:
    return as_decimal(thousandths, POINTS.precision, POINTS.scale)
