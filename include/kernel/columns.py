"""Exact Arrow columns: scaled integers seen as decimals and back without copying, and long tables as stacked columns.

A long table here is ordered by its key and then by enterprise: it is the wide table's columns laid
one after the other, so a million enterprises by 121 indicators are stacked and cut again without touching a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

WHOLE = pa.decimal128(38, 0)


def unscaled(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A decimal column as the integers beneath it: 12.50 at two places → 1250, as decimal128(38, 0)."""
    return _relabel(column, WHOLE)


def as_decimal(column: pa.ChunkedArray, precision: int, scale: int) -> pa.ChunkedArray:
    """Integers in units of 10**-scale as decimals: 1250 at two places → 12.50. Values must fit the precision."""
    if precision < WHOLE.precision:
        ends = pc.min_max(column).as_py().values()
        if any(end is not None and abs(end) >= 10**precision for end in ends):
            raise OverflowError(f"a value needs more than {precision} digits")
    whole = column if column.type == WHOLE else column.cast(WHOLE)
    return _relabel(whole, pa.decimal128(precision, scale))


def chunked(column: Any) -> pa.ChunkedArray:
    """The column as a chunked array, whatever it was."""
    return column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])


def coded(codes: np.ndarray, names: Sequence[str]) -> pa.ChunkedArray:
    """Small integers (int8) as names, kept as a dictionary column."""
    return pa.chunked_array([pa.DictionaryArray.from_arrays(codes, pa.array(names, pa.string()))])


def codes(column: pa.ChunkedArray, names: Sequence[str]) -> np.ndarray:
    """Inverse of `coded`: the place of each text among the names (int8), -1 where it is none of them."""
    words, parts = pa.array(names, pa.string()), []
    for chunk in column.chunks:
        if pa.types.is_dictionary(chunk.type):  # its few words are looked up, not its rows
            parts.append(pc.index_in(chunk.dictionary, value_set=words).take(chunk.indices))
        else:
            parts.append(pc.index_in(chunk, value_set=words))
    return pa.chunked_array(parts, pa.int32()).fill_null(-1).cast(pa.int8()).to_numpy()


def constant(name: str, rows: int) -> pa.ChunkedArray:
    """One name, repeated."""
    return coded(np.zeros(rows, np.int8), [name])


def names(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A text column as plain text, if it came as a dictionary."""
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def stack(parts: Sequence[Mapping[str, pa.ChunkedArray]]) -> pa.Table:
    """Tables of the same columns, one below the other, without copying."""
    columns = {
        name: pa.chunked_array([chunk for part in parts for chunk in part[name].chunks], parts[0][name].type)
        for name in parts[0]
    }
    return pa.table(columns)


def cut(long: pa.Table, key: str, order: Sequence[str], by: str) -> dict[str, pa.Table]:
    """Inverse of `stack`: key value → its rows, sorted by `by`. Every key must cover the same enterprises once."""
    rows = long.num_rows // len(order) if order else 0
    slices = {name: long.slice(place * rows, rows) for place, name in enumerate(order)}
    if rows * len(order) == long.num_rows and all(_is_slice(part, key, name) for name, part in slices.items()):
        first = slices[order[0]][by]
        if is_sorted(first) and all(part[by].equals(first) for part in slices.values()):
            return slices
    text = names(long[key])
    slices = {name: long.filter(pc.equal(text, name)).sort_by(by) for name in order}
    first = slices[order[0]][by]
    for name, part in slices.items():
        if not part[by].equals(first):
            raise ValueError(f"{name} does not cover the same rows as {order[0]}")
    return slices


def is_sorted(column: pa.ChunkedArray) -> bool:
    """Strictly ascending: sorted, and nothing stands twice."""
    if len(column) < 2:
        return True
    whole = column.combine_chunks()
    return bool(pc.all(pc.less(whole[:-1], whole[1:])).as_py())


def sorted_by(table: pa.Table, key: str) -> pa.Table:
    """The table in the order of a key that stands once per row."""
    return table if is_sorted(table[key]) else table.sort_by(key)


def _is_slice(part: pa.Table, key: str, name: str) -> bool:
    return not codes(part[key], [name]).any()


def _relabel(column: pa.ChunkedArray, to: pa.Decimal128Type) -> pa.ChunkedArray:
    if not pa.types.is_decimal128(column.type):
        raise TypeError(f"not an exact decimal column: {column.type}")
    parts = [
        pa.Array.from_buffers(to, len(chunk), chunk.buffers(), offset=chunk.offset) for chunk in chunked(column).chunks
    ]
    return pa.chunked_array(parts, to)
