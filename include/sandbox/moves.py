"""An enterprise that moves to another district takes its files along: each department hands them over on that day.

Until then its records stand in the old district. On the day of the move the new district receives all of them under
numbers of its own; the old district keeps what it has, which concerns nobody registered there any more.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from include.sandbox.firms import Firms
from include.sandbox.numbers import moments

HANDED_OVER = "handed_over"  # the fate of a copy: it says nothing new
# What each department files by district, and the column that numbers its records ("" = none of its own).
_FILED_BY_DISTRICT = {
    "TAX_CIT": "SBUUID",
    "TAX_RDD": "SBUUID",
    "TAX_HNTE": "SBUUID",
    "TAX_VAT": "SBUUID",
    "TAX_PAY": "PZXH",
    "TAX_FIN": "CWBBUUID",
    "HR_INS": "",
    "HR_STAFF": "",
    "POL_CASH": "LSH",
}
_AREA, _ARRIVAL = ("GLQH_DM", "AAB301", "QHDM"), ("RKSJ", "AAE036")


def hand_over(firms: Firms, tables: dict[str, pa.Table]) -> None:
    """Put the records that arrived before a move into the old district, and their copies into the new one."""
    for dataset, number in _FILED_BY_DISTRICT.items():
        table = tables[dataset]
        firm = table["_firm"].to_numpy()
        moved_on = firms.moved_on[firm].astype("datetime64[s]")
        before = np.flatnonzero(~np.isnat(moved_on) & (table["_arrival"].to_numpy() < moved_on.astype(np.int64)))
        if not len(before):
            continue
        copies = table.take(pa.array(before))
        arrival = moved_on[before] + np.timedelta64(10, "h")
        changes = {"_arrival": arrival.astype(np.int64).tolist(), "_fate": [HANDED_OVER] * len(before)}
        changes[_one_of(_ARRIVAL, table)] = moments(arrival).to_pylist()
        if number:
            changes[number] = [f"{text}M" for text in copies[number].to_pylist()]
        old = firms.moved_from[firm[before]].tolist()
        mask = np.zeros(table.num_rows, dtype=bool)
        mask[before] = True
        for column in ("_area", _one_of(_AREA, table)):
            held = table[column].combine_chunks()
            kept = pa.compute.replace_with_mask(held, pa.array(mask), pa.array(old, held.type))
            table = table.set_column(table.column_names.index(column), column, kept)
        for column, values in changes.items():
            at = copies.column_names.index(column)
            copies = copies.set_column(at, column, pa.array(values, copies.schema.field(at).type))
        tables[dataset] = pa.concat_tables([table, copies]).combine_chunks()


def _one_of(names: tuple[str, ...], table: pa.Table) -> str:
    return next(name for name in names if name in table.column_names)
