"""The tax bureau's front-end database: base tables of its own dialect, and the four views it opens to us.

SQLite by default, PostgreSQL where a URL is given. On PostgreSQL a reader account sees the views and nothing else; an
SQLite file is written once and made read-only.
"""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv
import sqlalchemy as sa

SCHEMA = "front_end"
READER = "front_end_reader"
ARRIVAL = "RKSJ"

_RETURN_HEADER = (
    "SBUUID", "NSRSBH", "SHXYDM", "NSRMC", "SKSSQQ", "SKSSQZ", "ZFBZ_1", "GZCS", "SBRQ", "GLQH_DM", "RKSJ",
)  # fmt: skip
_RETURN_ROW = ("SBUUID", "BDDM", "BBH", "EWBHXH", "HMC", "JE")
_VIEW_OF_RETURNS = (
    "SBUUID", "NSRSBH", "SHXYDM", "NSRMC", "SKSSQQ", "SKSSQZ", "BDDM", "BBH", "EWBHXH", "HMC", "JE", "ZFBZ_1", "GZCS",
    "SBRQ", "GLQH_DM", "RKSJ",
)  # fmt: skip


@dataclass(frozen=True)
class Base:
    """A base table; `arrives` = it carries area and arrival, by which clients select."""

    name: str
    rows: pa.Table
    arrives: bool


def base_tables(tables: dict[str, pa.Table]) -> list[Base]:
    """The bureau's own tables: filings apart from their form rows, the rest as it stands."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("records", tables["TAX_CIT"])
        header = connection.sql(
            f"SELECT DISTINCT {', '.join(_RETURN_HEADER)} FROM records ORDER BY RKSJ, SBUUID, SHXYDM NULLS FIRST"
        ).to_arrow_table()
        rows = connection.sql(
            f"SELECT {', '.join(_RETURN_ROW)} FROM records ORDER BY RKSJ, SBUUID, BDDM, try_cast(EWBHXH AS integer), JE"
        ).to_arrow_table()
    return [
        Base("SB_SBB", header, True),
        Base("SB_QYSDS_MX", rows, False),
        Base("SB_ZZS", _ordered(tables["TAX_VAT"], "SBUUID"), True),
        Base("ZS_JKXX", _ordered(tables["TAX_PAY"], "PZXH"), True),
        Base("CWBB", _ordered(tables["TAX_FIN"], "CWBBUUID"), True),
    ]


def _ordered(table: pa.Table, key: str) -> pa.Table:
    shown = [name for name in table.column_names if not name.startswith("_")]
    return table.sort_by([("_arrival", "ascending"), (key, "ascending")]).select(shown)


def _views(bases: list[Base], prefix: str) -> list[str]:
    returns = ", ".join(f'{"r" if n in _RETURN_ROW[1:] else "f"}."{n}" AS "{n}"' for n in _VIEW_OF_RETURNS)
    of = {base.name: ", ".join(f'"{name}"' for name in base.rows.column_names) for base in bases}
    return [
        f'CREATE VIEW {prefix}"V_SB_QYSDS" AS SELECT {returns} FROM {prefix}"SB_SBB" f '
        f'JOIN {prefix}"SB_QYSDS_MX" r ON r."SBUUID" = f."SBUUID"',
        f'CREATE VIEW {prefix}"V_SB_ZZS" AS SELECT {of["SB_ZZS"]} FROM {prefix}"SB_ZZS"',
        f'CREATE VIEW {prefix}"V_ZS_JKXX" AS SELECT {of["ZS_JKXX"]} FROM {prefix}"ZS_JKXX"',
        f'CREATE VIEW {prefix}"V_CWBB" AS SELECT {of["CWBB"]} FROM {prefix}"CWBB"',
    ]


def _indexes(bases: list[Base], prefix: str) -> list[str]:
    by_arrival = [
        f'CREATE INDEX "I_{base.name}" ON {prefix}"{base.name}" ("GLQH_DM", "{ARRIVAL}")'
        for base in bases
        if base.arrives
    ]
    return [*by_arrival, f'CREATE INDEX "I_SB_QYSDS_MX" ON {prefix}"SB_QYSDS_MX" ("SBUUID")']


def write_sqlite(path: Path, tables: dict[str, pa.Table]) -> None:
    """The whole front-end database as one read-only file; empty text is null."""
    bases = base_tables(tables)
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
        for statement in [*_indexes(bases, ""), *_views(bases, "")]:
            connection.execute(statement)
        connection.execute("COMMIT")
    finally:
        connection.close()
    path.chmod(0o444)


def write_postgresql(url: str, tables: dict[str, pa.Table]) -> str:
    """Replace the schema `front_end` and return the URL of the reader account, whose password is new."""
    bases = base_tables(tables)
    password = secrets.token_urlsafe(24)
    target = sa.make_url(url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(target, poolclass=sa.NullPool)
    prefix = f"{SCHEMA}."
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
            connection.exec_driver_sql(f"CREATE SCHEMA {SCHEMA}")
            driver = connection.connection.driver_connection
            assert driver is not None
            for base in bases:
                columns = ", ".join(
                    f"{_quoted(n)} {'timestamp' if n == ARRIVAL else 'text'}" for n in base.rows.column_names
                )
                connection.exec_driver_sql(f'CREATE TABLE {prefix}"{base.name}" ({columns})')
                with driver.cursor().copy(f"COPY {prefix}\"{base.name}\" FROM STDIN (FORMAT csv, NULL '')") as copy:
                    for batch in base.rows.to_batches(max_chunksize=50_000):
                        copy.write(_csv(batch))
            for statement in [*_indexes(bases, prefix), *_views(bases, prefix)]:
                connection.exec_driver_sql(statement)
            exists = connection.execute(sa.text("SELECT 1 FROM pg_roles WHERE rolname = :r"), {"r": READER}).scalar()
            # The password is drawn from the URL-safe alphabet: it holds nothing that could leave the quotes.
            verb = "ALTER" if exists else "CREATE"
            connection.exec_driver_sql(f"{verb} ROLE {READER} LOGIN PASSWORD '{password}'")
            connection.exec_driver_sql(f"ALTER ROLE {READER} SET search_path = {SCHEMA}")
            connection.exec_driver_sql(f"ALTER ROLE {READER} SET default_transaction_read_only = on")
            connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {SCHEMA} TO {READER}")
            for view in ("V_SB_QYSDS", "V_SB_ZZS", "V_ZS_JKXX", "V_CWBB"):
                connection.exec_driver_sql(f'GRANT SELECT ON {prefix}"{view}" TO {READER}')
    finally:
        engine.dispose()
    return target.set(username=READER, password=password).render_as_string(hide_password=False)


def _csv(batch: pa.RecordBatch) -> bytes:
    """Rows as CSV in which empty text is an unquoted nothing, which PostgreSQL reads as null."""
    columns = [pa.compute.if_else(pa.compute.equal(column, ""), None, column) for column in batch.columns]
    sink = BytesIO()
    options = pyarrow.csv.WriteOptions(include_header=False)
    pyarrow.csv.write_csv(pa.RecordBatch.from_arrays(columns, names=batch.schema.names), sink, options)
    return sink.getvalue()


def _quoted(name: str) -> str:
    return f'"{name}"'
