"""Every indicator's value for every enterprise, exact and with a typed absence, a column at a time.

Values are one long table: uscc, indicator, value (decimal(38, 6)), status, incomplete. Rows come indicator by indicator
in catalogue order, enterprises ascending. A true zero is the value 0; NULL always says why: `not_applicable` (the
scheme's rule), `in_quarantine` (a dataset it reads holds this enterprise's rows back), `not_held` (nothing to compute
from). A value computed while such rows are held back, or that stands in for one still to come (the scheme's
`provisional_when`), is `incomplete`: it counts as it is, the interval stays open.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.kernel.columns import chunked, coded, constant, sorted_by, stack
from include.kernel.whole import THREADS, Column, times, to_decimal
from include.schemes.compile import Compiled, CompiledIndicator
from include.schemes.engine import load
from include.schemes.formula import Formula
from include.schemes.status import IN_QUARANTINE, NOT_APPLICABLE, NOT_HELD, STATUSES, VALUE, VALUE_DECIMALS

_CODE = {status: code for code, status in enumerate(STATUSES)}


def evaluate(compiled: Compiled, measures: pa.Table, quarantined: pa.Table) -> pa.Table:
    """Values of all indicators. `measures`: one row per uscc; `quarantined`: the pairs (uscc, dataset) held back."""
    measures = sorted_by(measures, "uscc")
    enterprises, rows = chunked(measures["uscc"]), measures.num_rows
    rules = compiled.indicators.values()
    held_back = {
        dataset: _is_held_back(measures, quarantined, dataset)
        for dataset in sorted({dataset for rule in rules for dataset in rule.datasets})
    }
    columns = load(measures, [name for rule in rules for name in rule.inputs], compiled.measures)

    def values_of(rule: CompiledIndicator) -> Mapping[str, pa.ChunkedArray]:
        value, status, incomplete = _value(rule, columns, held_back, rows)
        try:
            decimals = to_decimal(value.values, 38, VALUE_DECIMALS, value.known)
        except OverflowError as error:
            raise OverflowError(f"{rule.indicator.id}: {error}") from None
        return {
            "uscc": enterprises,
            "indicator": constant(rule.indicator.id, rows),
            "value": decimals,
            "status": coded(status, STATUSES),
            "incomplete": chunked(pa.array(incomplete)),
        }

    with ThreadPoolExecutor(THREADS) as pool:
        return stack(list(pool.map(values_of, rules)))


def _is_held_back(measures: pa.Table, quarantined: pa.Table, dataset: str) -> np.ndarray:
    enterprises = quarantined.filter(pc.equal(quarantined["dataset"], dataset))["uscc"]
    return pc.is_in(measures["uscc"], value_set=enterprises.combine_chunks()).to_numpy()


def _value(
    rule: CompiledIndicator, columns: Mapping[str, Column], held_back: Mapping[str, np.ndarray], rows: int
) -> tuple[Column, np.ndarray, np.ndarray]:
    """The value in millionths, the code of its status, and where it may still change: see `incomplete` above."""
    incomplete = np.full(rows, False)
    if rule.formula is None:
        return Column.constant(None, rows), np.full(rows, _CODE[NOT_HELD], np.int8), incomplete
    value, excused = _in_millionths(rule, rule.formula, columns, rows), np.full(rows, False)
    if rule.applicable is not None:
        applies = rule.applicable.column(columns, rows)
        excused = applies.known & ~applies.values
        value = Column.of(value.values, value.known & applies.known & applies.values)
    status = np.where(value.known, np.int8(_CODE[VALUE]), np.int8(_CODE[NOT_HELD]))
    for dataset in rule.datasets:
        status[held_back[dataset] & ~value.known] = _CODE[IN_QUARANTINE]
        incomplete |= held_back[dataset] & value.known
    status[excused] = _CODE[NOT_APPLICABLE]
    if rule.provisional is not None:
        incomplete |= rule.provisional.column(columns, rows).values
    return value, status, incomplete & value.known


def _in_millionths(rule: CompiledIndicator, formula: Formula, columns: Mapping[str, Column], rows: int) -> Column:
    found = formula.on_its_side(columns, rows, rule.lines)
    if formula.is_condition:
        return Column(found.values * np.int64(10**VALUE_DECIMALS), found.known)
    return Column(times(found.values, 10 ** (VALUE_DECIMALS - formula.decimals)), found.known)
