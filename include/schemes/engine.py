"""How exact columns enter the arithmetic, as integers in declared decimals, and the session that ranks them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from include.kernel.columns import chunked
from include.kernel.errors import TerminalError
from include.kernel.whole import Column, from_arrow, times
from include.schemes.expression import Quantity


@contextmanager
def session() -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory engine that keeps the order of rows, so that columns of several queries stand side by side."""
    with duckdb.connect() as engine:
        engine.execute("SET preserve_insertion_order = true")
        yield engine


def load(table: pa.Table, numbers: Iterable[str], declared: Mapping[str, Quantity]) -> dict[str, Column]:
    """The `numbers` of a table as integers in units of 10**-declared decimals."""
    return {number: _integers(table, number, declared[number].decimals) for number in dict.fromkeys(numbers)}


def _integers(table: pa.Table, name: str, decimals: int) -> Column:
    """Binary floating point is refused."""
    if name not in table.column_names:
        raise TerminalError(f"{name} is missing", kept="the last results", todo="run the step before this one again")
    try:
        column, arrived = from_arrow(chunked(table[name]))
    except TypeError as error:
        raise TerminalError(f"{name} is {error}", kept="the last results", todo="make it DECIMAL") from None
    if arrived > decimals:
        raise TerminalError(
            f"{name} arrived with {arrived} decimals, declared are {decimals}",
            kept="the last results",
            todo="correct its declaration or the step that made it",
        )
    return Column(times(column.values, 10 ** (decimals - arrived)), column.known)
