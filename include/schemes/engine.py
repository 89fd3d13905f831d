"""The DuckDB session in which compiled SQL runs, and how exact columns enter it: as integers, in declared decimals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from include.kernel.columns import chunked, unscaled
from include.kernel.errors import TerminalError
from include.schemes.expression import Quantity
from include.schemes.formula_sql import huge


@contextmanager
def session() -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory engine that keeps the order of rows, so that columns of several queries stand side by side."""
    with duckdb.connect() as engine:
        engine.execute("SET preserve_insertion_order = true")
        yield engine


def load(
    engine: duckdb.DuckDBPyConnection,
    name: str,
    table: pa.Table,
    numbers: Iterable[str],
    declared: Mapping[str, Quantity],
    others: Iterable[str] = ("uscc",),
) -> None:
    """Temp table `name`: the `numbers` as HUGEINT in units of 10**-declared decimals, the `others` as they are."""
    columns = {other: table[other] for other in others}
    casts = [f'"{other}"' for other in columns]
    for number in dict.fromkeys(numbers):
        columns[number], arrived = _integers(table, number)
        surplus = declared[number].decimals - arrived
        if surplus < 0:
            raise TerminalError(
                f"{number} arrived with {arrived} decimals, declared are {declared[number].decimals}",
                kept="the last results",
                todo="correct its declaration or the step that made it",
            )
        casts.append(f'CAST("{number}" AS HUGEINT) * {huge(10**surplus)} AS "{number}"')
    engine.register("arrived", pa.table(columns))
    engine.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS SELECT {", ".join(casts)} FROM arrived')
    engine.unregister("arrived")


def _integers(table: pa.Table, name: str) -> tuple[pa.ChunkedArray, int]:
    """A column as integers, and the decimals they are in. Binary floating point is refused."""
    if name not in table.column_names:
        raise TerminalError(f"{name} is missing", kept="the last results", todo="run the step before this one again")
    column = chunked(table[name])
    if pa.types.is_decimal128(column.type):
        return unscaled(column), column.type.scale
    if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type) or pa.types.is_null(column.type):
        return column.cast(pa.int64()), 0
    raise TerminalError(
        f"{name} is {column.type}, not an exact number", kept="the last results", todo="make it DECIMAL"
    )
