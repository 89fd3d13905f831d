"""Arrow tables into warehouse tables, fast: COPY on PostgreSQL, one prepared statement on SQLite, exact on both."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import cast

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from sqlalchemy import Connection, Table

from include.kernel.crash import crash_point
from include.store.warehouse import SQLITE_DIGITS, ExactDecimal


def fill(connection: Connection, table: Table, rows: pa.Table) -> None:
    """Insert all rows; their columns are named as the table's, decimals have its scale, JSON is text.

    PostgreSQL does not COPY into a table with row security: so into one beside it, and from there.
    """
    columns = ", ".join(rows.column_names)
    if connection.dialect.name == "postgresql":
        content = io.BytesIO()
        pa_csv.write_csv(rows, content, pa_csv.WriteOptions(include_header=False))  # NULL is empty, '' is quoted
        driver = cast(psycopg.Connection, connection.connection.driver_connection)
        with driver.cursor() as cursor:
            cursor.execute(
                f"CREATE TEMP TABLE filled ON COMMIT DROP AS SELECT {columns} FROM {table.fullname} LIMIT 0".encode()
            )
            with cursor.copy("COPY filled FROM STDIN (FORMAT csv)") as copy:
                copy.write(content.getbuffer())
            cursor.execute(f"INSERT INTO {table.fullname} ({columns}) SELECT * FROM filled".encode())
            cursor.execute("DROP TABLE filled")
    elif rows.num_rows:
        places = ", ".join("?" * rows.num_columns)
        values = [_bound(connection, table, name, rows[name]) for name in rows.column_names]
        connection.exec_driver_sql(
            f"INSERT INTO {table.name} ({columns}) VALUES ({places})", list(zip(*values, strict=True))
        )
    crash_point("rows filled in")


def _bound(connection: Connection, table: Table, name: str, column: pa.ChunkedArray) -> list:
    """Values as SQLite takes them: dates and decimals as text, decimals by the rules of their column type."""
    kind = table.c[name].type
    if isinstance(kind, ExactDecimal) and kind.precision > SQLITE_DIGITS:
        # Below this bound every value has few enough digits; the rare others are looked at one by one.
        bound = pa.scalar(Decimal(10) ** (SQLITE_DIGITS - kind.scale), column.type)
        for value in column.filter(pc.greater_equal(pc.abs(column), bound)).to_pylist():
            kind.process_bind_param(value, connection.dialect)
    if pa.types.is_decimal(column.type) or pa.types.is_date(column.type):
        column = column.cast(pa.string())
    return column.to_pylist()
