"""Front-end databases: a department's own tables in its own dialect, and the views that it opens to us.

SQLite by default, PostgreSQL where a URL is given. On PostgreSQL a reader account sees the views and nothing else; an
SQLite file is written once and made read-only. What each department keeps stands in `front_ends.py`.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import sqlalchemy as sa


@dataclass(frozen=True)
class Base:
    """A base table. `view` = the view that opens it as it stands, "" = none; `index` = what clients select by."""

    name: str
    rows: pa.Table
    view: str
    index: tuple[str, ...]


@dataclass(frozen=True)
class FrontEnd:
    """One department's database: schema (and file) name, column of arrival, tables, views that join tables.

    `joins` gives, for the schema's prefix, the SELECT of each view that is more than one base table.
    """

    name: str
    arrival: str
    bases: Callable[[dict[str, pa.Table]], list[Base]]
    joins: Callable[[str], dict[str, str]] = lambda prefix: {}

    @property
    def reader(self) -> str:
        """The account that sees the views."""
        return f"{self.name}_reader"

    def views(self, bases: list[Base], prefix: str) -> dict[str, str]:
        """The views, each with its SELECT."""
        plain = {
            base.view: f'SELECT {", ".join(map(_quoted, base.rows.column_names))} FROM {prefix}"{base.name}"'
            for base in bases
            if base.view
        }
        return plain | self.joins(prefix)


def plain(name: str, table: pa.Table, key: str, view: str, index: tuple[str, ...]) -> Base:
    """A table served as the world holds it, in order of arrival."""
    shown = [column for column in table.column_names if not column.startswith("_")]
    ordered = table.sort_by([("_arrival", "ascending"), (key, "ascending")])
    return Base(name, ordered.select(shown), view, index)


def _statements(front_end: FrontEnd, bases: list[Base], prefix: str) -> list[str]:
    indexes = [
        f'CREATE INDEX "I_{base.name}" ON {prefix}"{base.name}" ({", ".join(map(_quoted, base.index))})'
        for base in bases
    ]
    views = front_end.views(bases, prefix)
    return [*indexes, *(f'CREATE VIEW {prefix}"{view}" AS {select}' for view, select in views.items())]


def write_sqlite(path: Path, front_end: FrontEnd, tables: dict[str, pa.Table]) -> None:
    """The whole front-end database as one read-only file; empty text is null."""
    bases = front_end.bases(tables)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        for base in bases:
            names = base.rows.column_names
            connection.execute(f'CREATE TABLE "{base.name}" ({", ".join(f"{_quoted(n)} TEXT" for n in names)})')
            places = ", ".join("nullif(?, '')" for _ in names)
            for batch in base.rows.to_batches(max_chunksize=20_000):
                cells = zip(*(column.to_pylist() for column in batch.columns), strict=True)
                connection.executemany(f'INSERT INTO "{base.name}" VALUES ({places})', cells)
        for statement in _statements(front_end, bases, ""):
            connection.execute(statement)
        connection.execute("COMMIT")
    finally:
        connection.close()
    path.chmod(0o444)


def write_postgresql(url: str, front_end: FrontEnd, tables: dict[str, pa.Table]) -> str:
    """Replace the front end's schema and return the URL of the reader account, whose password is new."""
    bases, schema, reader = front_end.bases(tables), front_end.name, front_end.reader
    password = secrets.token_urlsafe(24)
    target = sa.make_url(url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(target, poolclass=sa.NullPool)
    prefix = f"{schema}."
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
            connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
            driver = connection.connection.driver_connection
            assert driver is not None
            for base in bases:
                columns = ", ".join(
                    f"{_quoted(n)} {'timestamp' if n == front_end.arrival else 'text'}" for n in base.rows.column_names
                )
                connection.exec_driver_sql(f'CREATE TABLE {prefix}"{base.name}" ({columns})')
                with driver.cursor().copy(f"COPY {prefix}\"{base.name}\" FROM STDIN (FORMAT csv, NULL '')") as copy:
                    for batch in base.rows.to_batches(max_chunksize=50_000):
                        copy.write(_csv(batch))
            for statement in _statements(front_end, bases, prefix):
                connection.exec_driver_sql(statement)
            exists = connection.execute(sa.text("SELECT 1 FROM pg_roles WHERE rolname = :r"), {"r": reader}).scalar()
            # The password is drawn from the URL-safe alphabet: it holds nothing that could leave the quotes.
            verb = "ALTER" if exists else "CREATE"
            connection.exec_driver_sql(f"{verb} ROLE {reader} LOGIN PASSWORD '{password}'")
            connection.exec_driver_sql(f"ALTER ROLE {reader} SET search_path = {schema}")
            connection.exec_driver_sql(f"ALTER ROLE {reader} SET default_transaction_read_only = on")
            connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {reader}")
            for view in front_end.views(bases, prefix):
                connection.exec_driver_sql(f'GRANT SELECT ON {prefix}"{view}" TO {reader}')
    finally:
        engine.dispose()
    return target.set(username=reader, password=password).render_as_string(hide_password=False)


def _csv(batch: pa.RecordBatch) -> bytes:
    """Rows as CSV in which empty text is an unquoted nothing, which PostgreSQL reads as null."""
    columns = [pa.compute.if_else(pa.compute.equal(column, ""), None, column) for column in batch.columns]
    sink = BytesIO()
    options = pyarrow.csv.WriteOptions(include_header=False)
    pyarrow.csv.write_csv(pa.RecordBatch.from_arrays(columns, names=batch.schema.names), sink, options)
    return sink.getvalue()


def _quoted(name: str) -> str:
    return f'"{name}"'
