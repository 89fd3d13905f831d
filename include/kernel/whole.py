"""Whole numbers by the column, exact at any size: int64 where bounds prove that it holds every step, else Python's own.

Every value and every point here is an integer in units of 10**-decimals. Each operation looks at the largest operand
it was really given, so 64 bits are used exactly when nothing can overflow in them; beyond, the same expression runs on
Python integers, slower and as exact. Nothing wraps, and no value is ever a float.

>>> product(np.array([3, 2**40]), np.array([5, 2**40])).tolist()
[15, 1208925819614629174706176]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

LIMIT = 2**63 - 1
THREADS = 2
"""Columns of different indicators are computed side by side; numpy lets go of the interpreter meanwhile."""


@dataclass(frozen=True)
class Column:
    """Numbers (or yes/no answers) of all rows, and where they are known. What is unknown is 0 (no)."""

    values: np.ndarray
    known: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, known: np.ndarray) -> Column:
        """Unknown rows become 0, so that they weigh in no bound and no division."""
        if known.all():
            return cls(values, known)
        return cls(np.where(known, values, False if values.dtype == bool else 0), known)

    @classmethod
    def constant(cls, value: int | bool | None, rows: int) -> Column:
        """One value in every row; None is unknown."""
        kind = bool if isinstance(value, bool) else np.int64 if abs(value or 0) <= LIMIT else object
        one = np.array(value or 0, dtype=kind)
        return cls(np.broadcast_to(one, rows), np.broadcast_to(np.array(value is not None), rows))


def reach(values: np.ndarray) -> int:
    """The largest size among the values."""
    if not len(values):
        return 0
    return max(abs(int(values.min())), abs(int(values.max())))


def large(values: np.ndarray) -> np.ndarray:
    """The same numbers as Python integers."""
    return values.astype(object)


def narrow(values: np.ndarray) -> np.ndarray:
    """Back to int64 where all of them fit."""
    return values.astype(np.int64) if values.dtype == object and reach(values) <= LIMIT else values


def times(values: np.ndarray, factor: int) -> np.ndarray:
    """values x a constant."""
    if factor == 1:
        return values
    return values * factor if reach(values) * abs(factor) <= LIMIT else large(values) * factor


def product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """left x right, row by row."""
    return left * right if reach(left) * reach(right) <= LIMIT else large(left) * large(right)


def added(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """left + right, row by row."""
    return left + right if reach(left) + reach(right) <= LIMIT else large(left) + large(right)


def quotient(above: np.ndarray, below: np.ndarray | int) -> np.ndarray:
    """above / below, half away from zero; `below` has no zero."""
    divisor = np.array(below, object if isinstance(below, int) and below > LIMIT else None)
    if 2 * reach(above) + reach(divisor.reshape(-1)) > LIMIT:
        above, divisor = large(above), large(divisor)
    size = np.abs(divisor)
    half_up = (2 * np.abs(above) + size) // (2 * size)
    negative = (above < 0) != (divisor < 0)
    return np.where(negative, -half_up, half_up)


def traced(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / below cut down, and one more place that says whether anything follows: `kernel.exact.traced` by row."""
    whole = above // below
    return times(narrow(whole), 10) + (above != whole * below)


def traced_ratio(above: np.ndarray, below: np.ndarray, *, above_times: int, below_times: int) -> np.ndarray:
    """(above x above_times) / (below x below_times), `traced`; `below` has no zero.

    A few enterprises may be too large for 64 bits: their rows alone are computed in Python integers.
    """
    room = LIMIT // 4
    fits = (np.abs(above) <= room // above_times) & (np.abs(below) <= room // below_times)
    if fits.all():
        return traced(above * above_times, below * below_times)
    result: np.ndarray = np.empty(len(above), object)
    result[fits] = traced(above[fits].astype(np.int64) * above_times, below[fits].astype(np.int64) * below_times)
    result[~fits] = traced(large(above[~fits]) * above_times, large(below[~fits]) * below_times)
    return narrow(result)


def from_arrow(column: pa.ChunkedArray) -> tuple[Column, int]:
    """An exact Arrow column as whole numbers, and the decimals they are in. Floats have no way in."""
    whole = column.combine_chunks()
    known = whole.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_decimal128(whole.type):
        words = np.frombuffer(whole.buffers()[1], np.int64).reshape(-1, 2)[whole.offset : whole.offset + len(whole)]
        if np.array_equal(np.where(known, words[:, 1], 0), np.where(known, words[:, 0] >> 63, 0)):
            return Column.of(words[:, 0], known), whole.type.scale
        wide = large(words[:, 1]) * 2**64 + large(np.ascontiguousarray(words[:, 0]).view(np.uint64))
        return Column.of(wide, known), whole.type.scale
    if pa.types.is_integer(whole.type) or pa.types.is_boolean(whole.type) or pa.types.is_null(whole.type):
        return Column(whole.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False), known), 0
    raise TypeError(f"{whole.type}, not an exact number")


def to_decimal(values: np.ndarray, precision: int, scale: int, known: np.ndarray | None = None) -> pa.ChunkedArray:
    """Integers in units of 10**-scale as decimals: 1250 at two places → 12.50. What is not known is null."""
    kind = pa.decimal128(precision, scale)
    if reach(values) >= 10**precision:
        raise OverflowError(f"a value needs more than {precision} digits")
    words: np.ndarray = np.empty((len(values), 2), np.int64)
    if values.dtype == object:
        low = (values & (2**64 - 1)).astype(np.uint64)
        words[:, 0], words[:, 1] = low.view(np.int64), (values >> 64).astype(np.int64)
    else:
        words[:, 0], words[:, 1] = values, values >> 63
    valid = None if known is None else pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.chunked_array([pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(words)])])
