"""Measure: conformed tables in, one wide table out, one exact number per enterprise and measure. No file is touched.

Two kinds of absence meet here. A *report* (return, headcount, statement) that an enterprise did not send is unknown:
NULL. A *register* (patents, lists) that was delivered names everybody concerned: who is not in it has a true zero.
A dataset that was not delivered at all leaves its measures NULL. Every number depends on the enterprise's own rows
alone, so measuring one enterprise gives what measuring the district gave.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

import duckdb
import pyarrow as pa

from include.contracts import contracts
from include.contracts.code_lists import code_list
from include.kernel.errors import TerminalError
from include.kernel.periods import closed_year
from include.measures.registry import DELIVERED, ENTERPRISES, Measure, Subject, measures, subjects

THREADS = 2


def measure(tables: Mapping[str, pa.Table], as_of: date, only: Collection[str] | None = None) -> pa.Table:
    """The wide table of `measured_schema()`, one row per enterprise, sorted by uscc.

    `tables`: `enterprises` and the conformed datasets by lower-case name; other tables are left alone. With `only` no
    other measures than these are worked out.
    """
    wanted = [name for name in measures() if only is None or name in only]
    asked = {name: subjects()[name] for name in dict.fromkeys(measures()[one].subject for one in wanted)}
    with duckdb.connect(config={"threads": THREADS}) as connection:
        connection.execute("SET TimeZone = 'Asia/Shanghai'")
        connection.execute("SET VARIABLE as_of = ?::DATE", [as_of])
        connection.execute("SET VARIABLE closed_year = ?::INTEGER", [closed_year(as_of)])
        for name, table in _inputs(tables, as_of, asked.values()).items():
            connection.register(name, table)
        for subject in asked.values():
            connection.execute(f"CREATE TEMP TABLE measured_{subject.name} AS {subject.sql}")
            _hold(connection, subject, tables[ENTERPRISES].num_rows)
        joins = " ".join(f"INNER JOIN measured_{name} USING (uscc)" for name in asked)
        columns = ", ".join(["uscc", *wanted])
        wide = connection.sql(f"SELECT {columns} FROM (SELECT uscc FROM enterprises) {joins} ORDER BY uscc")
        schema = measured_schema()
        return wide.to_arrow_table().cast(pa.schema([schema.field(name) for name in ("uscc", *wanted)]))


def measured_schema() -> pa.Schema:
    """`uscc` and every measure: whole numbers as int64, the others as decimals with their declared places."""
    fields = [pa.field(measure.name, _arrow_type(measure)) for measure in measures().values()]
    return pa.schema([pa.field("uscc", pa.string(), nullable=False), *fields])


def _arrow_type(measure: Measure) -> pa.DataType:
    return pa.decimal128(24, measure.decimals) if measure.decimals else pa.int64()


def _inputs(tables: Mapping[str, pa.Table], as_of: date, asked: Collection[Subject]) -> dict[str, pa.Table]:
    """Every table that the subjects asked for read; a dataset that was not delivered as an empty table of its conformed
    shape.
    """
    datasets = {dataset.lower(): contract for dataset, contract in contracts().items()}
    found: dict[str, pa.Table] = {}
    for name in sorted({ENTERPRISES, *(name for subject in asked for name in subject.inputs)}):
        if name == DELIVERED:
            found[name] = pa.table({dataset: [dataset in tables] for dataset in datasets})
        elif name == ENTERPRISES or name in tables:
            found[name] = tables[name]
        elif name in datasets:
            found[name] = datasets[name].conformed_schema().empty_table()
        else:
            found[name] = code_list(name, as_of)
    return found


def _hold(connection: duckdb.DuckDBPyConnection, subject: Subject, enterprises: int) -> None:
    """The SQL gives what its header promises: these columns, exact types, one row per enterprise."""
    where, table = f"measures/{subject.name}.sql", f"measured_{subject.name}"
    given = {str(column): str(kind) for column, kind, *_ in connection.execute(f"DESCRIBE {table}").fetchall()}
    promised = ["uscc", *(measure.name for measure in subject.outputs)]
    if list(given) != promised:
        odd = sorted(set(given) ^ set(promised)) or "the order"
        raise TerminalError(f"columns are not those of the header: {odd}", where=where)
    for measure in subject.outputs:
        kind = given[measure.name]
        exact = kind.endswith(f",{measure.decimals})") if measure.decimals else kind.endswith(("INT", "INTEGER"))
        if not exact:
            raise TerminalError(f"{measure.name} is {kind}, declared with {measure.decimals} decimals", where=where)
    counted = connection.execute(f"SELECT count(*), count(DISTINCT uscc) FROM {table}").fetchall()
    if counted != [(enterprises, enterprises)]:
        raise TerminalError("not one row per enterprise", where=where, todo="look for a join that multiplies rows")
