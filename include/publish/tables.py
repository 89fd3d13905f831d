"""The shape in which the warehouse takes each table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
from sqlalchemy import Table
from sqlalchemy.types import JSON, Boolean, Date, Integer, Text, TypeEngine

from include.kernel.errors import TerminalError
from include.store.warehouse import CATEGORY_COLUMNS, PUBLISHED, ExactDecimal


def schema_of(table: Table) -> pa.Schema:
    """The Arrow schema that a table takes: its columns without `generation_id`; JSON travels as text."""
    return pa.schema(
        [
            pa.field(column.name, _arrow_type(column.type), nullable=bool(column.nullable))
            for column in table.columns
            if column.name != "generation_id"
        ]
    )


def conforming(tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """All tables of a publication in the warehouse's columns and types, or one line saying what does not fit."""
    if set(tables) != set(PUBLISHED):
        missing, unknown = sorted(set(PUBLISHED) - set(tables)), sorted(set(tables) - set(PUBLISHED))
        raise TerminalError(f"tables missing: {missing or 'none'}; tables unknown: {unknown or 'none'}")
    return {name: _conforming(name, tables[name], schema_of(table)) for name, table in PUBLISHED.items()}


def category_points(points: pa.Table, categories: Sequence[str]) -> pa.Table:
    """Points per enterprise and category, from one column per category."""
    return pa.concat_tables(
        pa.table(
            {
                "uscc": points["uscc"],
                "category": pa.repeat(pa.scalar(category), points.num_rows),
                "points": points[category],
            }
        )
        for category in categories
    )


def with_category_columns(points: pa.Table, categories: Sequence[str]) -> pa.Table:
    """`points` with exactly the promised category columns: NULL where the scheme has no category of that name."""
    absent = pa.nulls(points.num_rows, pa.decimal128(12, 3))
    for category in CATEGORY_COLUMNS:
        if category not in categories:
            points = points.append_column(category, absent)
    return points.drop_columns([category for category in categories if category not in CATEGORY_COLUMNS])


def _arrow_type(kind: TypeEngine) -> pa.DataType:
    if isinstance(kind, ExactDecimal):
        return pa.decimal128(kind.precision, kind.scale)
    return {Text: pa.string(), Integer: pa.int64(), Boolean: pa.bool_(), Date: pa.date32(), JSON: pa.string()}[
        type(kind)
    ]


def _conforming(name: str, table: pa.Table, schema: pa.Schema) -> pa.Table:
    if set(table.column_names) != set(schema.names):
        raise TerminalError(f"columns {table.column_names}, expected {schema.names}", where=name)
    try:
        rows = table.select(schema.names).cast(schema).combine_chunks()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError):
        raise TerminalError(f"{_short(table.schema)} does not fit {_short(schema)} exactly", where=name) from None
    key = [column.name for column in PUBLISHED[name].primary_key if column.name != "generation_id"]
    twice = rows.num_rows - rows.group_by(key).aggregate([]).num_rows
    if twice:
        raise TerminalError(f"{twice} rows repeat a key ({', '.join(key)})", where=name)
    return rows


def _short(schema: pa.Schema) -> str:
    return "(" + ", ".join(f"{field.name} {field.type}{'' if field.nullable else '!'}" for field in schema) + ")"
