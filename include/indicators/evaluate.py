"""Every indicator's value for every enterprise, exact and with a typed absence, in one pass per category.

Values are one long table: uscc, indicator, value (decimal(38, 6)), status. Rows come indicator by indicator in
catalogue order, enterprises ascending. A true zero is the value 0; NULL always says why: `not_applicable` (the scheme's
rule), `in_quarantine` (a dataset it reads holds this enterprise's rows back), `not_held` (nothing to compute from).
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from include.kernel.columns import as_decimal, chunked, coded, constant, sorted_by, stack
from include.schemes.compile import Compiled, CompiledIndicator
from include.schemes.engine import load, session
from include.schemes.formula import Formula
from include.schemes.formula_sql import huge
from include.schemes.status import IN_QUARANTINE, NOT_APPLICABLE, NOT_HELD, STATUSES, VALUE, VALUE_DECIMALS

_CODE = {status: code for code, status in enumerate(STATUSES)}


def evaluate(compiled: Compiled, measures: pa.Table, quarantined: pa.Table) -> pa.Table:
    """Values of all indicators. `measures`: one row per uscc; `quarantined`: the pairs (uscc, dataset) held back."""
    measures = sorted_by(measures, "uscc")
    enterprises, rows = chunked(measures["uscc"]), measures.num_rows
    rules = compiled.indicators.values()
    flags = {
        _held_back(dataset): _is_held_back(measures, quarantined, dataset)
        for dataset in sorted({dataset for rule in rules for dataset in rule.datasets})
    }
    absent = {
        "value": chunked(pa.nulls(rows, pa.decimal128(38, VALUE_DECIMALS))),
        "status": coded(chunked(pa.repeat(pa.scalar(_CODE[NOT_HELD], pa.int8()), rows)), STATUSES),
    }
    parts = []
    with session() as engine:
        for name, flag in flags.items():
            measures = measures.append_column(name, flag)
        read = [name for rule in rules for name in rule.inputs]
        load(engine, "measures", measures, read, compiled.measures, ["uscc", *flags])
        for category in compiled.scheme.category_ids:
            computed = [rule for rule in compiled.of_category(category) if rule.formula is not None]
            found = engine.sql(_select(computed)).to_arrow_table() if computed else None
            for rule in compiled.of_category(category):
                name, columns = rule.indicator.id, absent
                if rule.formula is not None and found is not None:
                    columns = {
                        "value": as_decimal(found[f"{name} value"], 38, VALUE_DECIMALS),
                        "status": coded(found[f"{name} status"], STATUSES),
                    }
                parts.append({"uscc": enterprises, "indicator": constant(name, rows), **columns})
    return stack(parts)


def _held_back(dataset: str) -> str:
    return f"held back {dataset}"


def _is_held_back(measures: pa.Table, quarantined: pa.Table, dataset: str) -> pa.ChunkedArray:
    enterprises = quarantined.filter(pc.equal(quarantined["dataset"], dataset))["uscc"]
    return chunked(pc.is_in(measures["uscc"], value_set=enterprises.combine_chunks()))


def _select(rules: Sequence[CompiledIndicator]) -> str:
    """One narrow query: per indicator its value in millionths and the code of its status."""
    inner, outer = [], []
    for rule in rules:
        assert rule.formula is not None
        name = rule.indicator.id
        inner.append(f'{_in_millionths(rule.formula)} AS "{name} raw"')
        applies = "TRUE" if rule.applicable is None else f"coalesce({rule.applicable.sql()}, TRUE)"
        inner.append(f'{applies} AS "{name} applies"')
        held_back = " OR ".join(f'"{_held_back(dataset)}"' for dataset in rule.datasets) or "FALSE"
        outer.append(f'CASE WHEN "{name} applies" THEN "{name} raw" END AS "{name} value"')
        outer.append(
            f'CAST(CASE WHEN NOT "{name} applies" THEN {_CODE[NOT_APPLICABLE]}'
            f' WHEN "{name} raw" IS NOT NULL THEN {_CODE[VALUE]}'
            f" WHEN {held_back} THEN {_CODE[IN_QUARANTINE]}"
            f' ELSE {_CODE[NOT_HELD]} END AS TINYINT) AS "{name} status"'
        )
    return f"SELECT {', '.join(outer)} FROM (SELECT *, {', '.join(inner)} FROM measures)"


def _in_millionths(formula: Formula) -> str:
    if formula.is_condition:
        answer = formula.sql()
        return f"CASE WHEN {answer} THEN {huge(10**VALUE_DECIMALS)} WHEN NOT {answer} THEN {huge(0)} END"
    return f"{formula.sql()} * {huge(10 ** (VALUE_DECIMALS - formula.decimals))}"
