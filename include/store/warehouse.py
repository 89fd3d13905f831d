"""The warehouse: the published tables, generation by generation, and how to open them on SQLite and PostgreSQL.

Names and columns are a promise to officers, banks and enterprises. Every row belongs to a generation; `pointer` names
the one that is current, and each `current_<table>` view shows exactly that one. On PostgreSQL the tables live in schema
`publish`; on SQLite the same tables have plain names.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, Connection, Engine, ForeignKey, MetaData, Table, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, StatementError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft
from sqlalchemy.types import (
    JSON,
    Boolean,
    Date,
    DateTime,
    Integer,
    Numeric,
    Text,
    TypeDecorator,
    UserDefinedType,
)

from include.kernel.crash import crash_point
from include.kernel.errors import BadInput, InnopointsError, TerminalError, TransientError
from include.kernel.exact import to_scaled

SCHEMA = "publish"
Warehouse = Engine | Connection
"""Where to read or write: in a transaction of its own, or within one that is open, which so holds one connection for
all."""
# SQLite keeps a decimal as a 64-bit float; up to this many significant digits the way there and back is exact.
SQLITE_DIGITS = 15
BUSY_SECONDS = 30
# Codes of an operational error that no retry mends: wrong SQL, full or read-only disk, damaged file, refused log-in.
_NEEDS_A_PERSON = {
    *("SQLITE_ERROR", "SQLITE_FULL", "SQLITE_READONLY", "SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_CANTOPEN"),
    *("53100", "25006", "28000", "28P01", "3D000"),
}


class _SqliteNumeric(UserDefinedType):
    """NUMERIC affinity without SQLAlchemy's own detour through float."""

    cache_ok = True

    def __init__(self, precision: int, scale: int) -> None:
        self.precision, self.scale = precision, scale

    def get_col_spec(self, **_: Any) -> str:
        return f"NUMERIC({self.precision}, {self.scale})"


class ExactDecimal(TypeDecorator):
    """A decimal that comes back as it went in: NUMERIC on PostgreSQL, text bound to NUMERIC affinity on SQLite.

    Refuses what it could not keep: a float, a digit beyond `scale`, and on SQLite more than 15 significant digits.
    """

    impl = Numeric
    cache_ok = True

    def __init__(self, precision: int, scale: int) -> None:
        super().__init__(precision, scale)
        self.precision, self.scale = precision, scale

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(_SqliteNumeric(self.precision, self.scale))
        return dialect.type_descriptor(Numeric(self.precision, self.scale))

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        if value is None:
            return None
        if not isinstance(value, Decimal) or not value.is_finite():
            raise TerminalError(f"an exact column takes a finite Decimal, not {type(value).__name__}")
        try:
            scaled = to_scaled(value, self.scale)
        except ValueError:
            raise TerminalError(f"a decimal has more than the column's {self.scale} places") from None
        if dialect.name != "sqlite":
            return value
        if len(str(abs(scaled)).rstrip("0")) > SQLITE_DIGITS:
            raise TerminalError(
                f"a decimal has more than the {SQLITE_DIGITS} significant digits that SQLite keeps exactly",
                todo="use PostgreSQL as the warehouse, or a coarser unit",
            )
        return f"{value:f}"

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Decimal | None:
        if value is None:
            return None
        exact = value if isinstance(value, Decimal) else Decimal(repr(value))
        return exact.quantize(Decimal(1).scaleb(-self.scale))


class Moment(TypeDecorator):
    """A wall-clock moment, aware and in UTC on every store. Only bookkeeping has moments; figures have dates."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def clock() -> datetime:
    """The wall clock, for the columns of type `Moment` and nothing else."""
    return datetime.now(UTC)


Points = ExactDecimal(12, 3)
Fine = ExactDecimal(24, 6)
Fraction = ExactDecimal(9, 6)
Money = ExactDecimal(18, 2)

CATEGORY_COLUMNS = ("foundation", "input", "management", "output", "environment")

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "ix": "%(table_name)s_%(column_0_name)s_idx",
    }
)


def _required(name: str, kind: Any) -> Column:
    return Column(name, kind, nullable=False)


def _key(name: str, kind: Any = Text) -> Column:
    return Column(name, kind, primary_key=True)


generation = Table(
    "generation",
    metadata,
    Column("generation_id", Integer, primary_key=True),
    _required("as_of", Date),
    _required("scheme_id", Text),
    _required("scheme_version", Text),
    _required("snapshot_set", Text),
    _required("created_at", Moment),
    Column("published_at", Moment),
    _required("status", Text),
    Column("reason", Text),
    CheckConstraint("status IN ('current', 'superseded', 'blocked', 'rolled_back')", name="status"),
    schema=SCHEMA,
    sqlite_autoincrement=True,  # the id of a pruned generation is never given again
)

pointer = Table(
    "pointer",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("generation_id", ForeignKey(generation.c.generation_id)),
    _required("version", Integer),
    CheckConstraint("id = 1", name="single_row"),
    schema=SCHEMA,
)


def _published(name: str, *columns: Column | CheckConstraint) -> Table:
    """A table whose rows belong to a generation; rows are stored in the order of the key, generation first."""
    return Table(
        name,
        metadata,
        Column("generation_id", ForeignKey(generation.c.generation_id), primary_key=True),
        *columns,
        schema=SCHEMA,
        sqlite_with_rowid=False,
    )


_published(
    "enterprise_profile",
    _key("uscc"),
    _required("name", Text),
    _required("district", Text),
    Column("industry_code", Text),
    Column("established_on", Date),
    _required("stage", Text),
    Column("stage_reason", Text),
)
_published(
    "enterprise_points",
    _key("uscc"),
    _required("stage", Text),
    _required("total", Points),
    # The categories of changzhou_v1; NULL under a scheme without them. category_points has those of every scheme.
    *(Column(category, Points) for category in CATEGORY_COLUMNS),
    _required("coverage", Fraction),
    _required("total_low", Points),
    _required("total_high", Points),
    _required("rank_all", Integer),
    _required("rank_stage", Integer),
    _required("rank_district", Integer),
    Column("percentile_stage", Fraction),
)
_published("category_points", _key("uscc"), _key("category"), _required("points", Points))
_published(
    "points_ledger",
    _key("uscc"),
    _key("indicator"),
    _required("category", Text),
    Column("value", Fine),
    _required("status", Text),
    Column("segment", Integer),
    Column("raw_points", Points),
    _required("weight", Points),
    _required("points", Points),
)
_published(
    "honours",
    _key("uscc"),
    _key("honour"),
    _required("place", Integer),
    Column("reason", Text),
    Column("robust", Boolean),
)
_published(
    "project_recommendation", _key("uscc"), _key("programme"), _required("place", Integer), Column("reason", Text)
)
_published(
    "credit_list",
    _key("uscc"),
    _key("product"),
    Column("entry_reason", Text),
    Column("suggested_limit_yuan", Money),
    Column("stage_percentile", Fraction),
)
_published(
    "ladder",
    _key("uscc"),
    _key("rung"),
    _required("holds", Boolean),
    _required("eligible", Boolean),
    Column("failed_conditions", JSON(none_as_null=True)),
)
_published(
    "stage_distribution",
    _key("district"),
    _key("stage"),
    _required("enterprises", Integer),
    _required("share", Fraction),
)
_published(
    "source_quality",
    _key("dataset"),
    _key("scope"),
    _required("as_of", Date),
    _required("rows_in", Integer),
    _required("duplicates", Integer),
    _required("accepted", Integer),
    _required("quarantined", Integer),
    Column("accepted_share", Fraction),
    _required("snapshot_age_days", Integer),
    _required("verdict", Text),
    CheckConstraint("rows_in = duplicates + accepted + quarantined", name="every_row_is_somewhere"),
)
_published(
    "once_only",
    _key("district"),
    _required("applicable_pairs", Integer),
    _required("from_records_pairs", Integer),
    Column("share", Fraction),
    Column("weighted_share", Fraction),
)
_published(
    "once_only_indicator",
    _key("indicator"),
    _required("applicable_pairs", Integer),
    _required("from_records_pairs", Integer),
    Column("share", Fraction),
    Column("weighted_share", Fraction),
)
_published("once_only_gap", _key("uscc"), _key("indicator"), _required("reason", Text), _required("datasets", Text))
_published("once_only_reason", _key("district"), _key("indicator"), _key("reason"), _required("pairs", Integer))
_published(
    "fields_saved",
    _key("district"),
    _required("form_from", Date),
    _required("enterprises", Integer),
    _required("fields_asked", Integer),
    _required("fields_saved", Integer),
    _required("share", Fraction),
    CheckConstraint("fields_saved <= fields_asked", name="no_more_saved_than_asked"),
)

# The tables that a publication fills, by name.
PUBLISHED: dict[str, Table] = {
    table.name: table for table in metadata.tables.values() if table not in (generation, pointer)
}


def create_engine(url: str) -> Engine:
    """An engine for SQLite (a file) or PostgreSQL (psycopg). Errors it raises never show a parameter's value."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # a bracket that is never closed is no ArgumentError
        raise BadInput(
            "the warehouse's address is not an SQLAlchemy URL", todo="write sqlite:///… or postgresql://…"
        ) from None
    if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
        folder = Path(parsed.database).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(
                f"the warehouse's folder cannot be made: {error.strerror}", where=str(folder), todo="name another"
            ) from None
        engine = sa.create_engine(
            parsed,
            hide_parameters=True,
            connect_args={"timeout": BUSY_SECONDS},
            execution_options={"schema_translate_map": {SCHEMA: None}},
        )
        event.listen(engine, "connect", _open_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if parsed.get_backend_name() == "postgresql":
        return sa.create_engine(parsed.set(drivername="postgresql+psycopg"), hide_parameters=True, pool_pre_ping=True)
    raise BadInput(f"the warehouse cannot be {parsed.get_backend_name()!r:.40}", todo="use a SQLite file or PostgreSQL")


def _open_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver's guess at a statement
    _write_ahead(connection)
    for pragma in ("synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Put a new file into WAL mode. Where another connection writes to it just then, SQLite refuses at once, whatever
    the connection's timeout: so the wait is ours."""
    last = monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or monotonic() > last:
                raise
            sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that will write takes its lock at once: one that reads first and then writes cannot wait, it fails.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writing") else "BEGIN")


@contextmanager
def writing(warehouse: Warehouse) -> Iterator[Connection]:
    """One transaction that writes: all of it or nothing. Database errors become one line without any value. A writing
    within another is part of it.
    """
    if isinstance(warehouse, Connection):
        yield warehouse
        return
    try:
        with warehouse.connect().execution_options(writing=True) as connection, connection.begin():
            yield connection
            crash_point("about to commit")
        crash_point("committed")
    except (StatementError, NoConnectionLeft, psycopg.Error) as error:  # COPY raises the driver's own
        raise _in_one_line(error) from None


@contextmanager
def reading(warehouse: Warehouse) -> Iterator[Connection]:
    """One transaction that sees one state of the database, however many statements it runs: never two generations. A
    reading within another is part of it.
    """
    if isinstance(warehouse, Connection):
        yield warehouse
        return
    options = {} if warehouse.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    try:
        with warehouse.connect().execution_options(**options) as connection, connection.begin():
            yield connection
    except (StatementError, NoConnectionLeft) as error:
        raise _in_one_line(error) from None


def _in_one_line(error: Exception) -> InnopointsError:
    cause = error.orig if isinstance(error, StatementError) and error.orig else error
    if isinstance(cause, InnopointsError):  # raised by one of the column types above
        return cause
    # The drivers' texts may quote values; their codes do not.
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or type(cause).__name__
    what, kept = f"the warehouse did not carry out a statement ({code})", "what was published; nothing of this work"
    kinds = {base.__name__ for base in type(cause).__mro__}  # the DB-API's names, the same in each driver
    passing = {"OperationalError", "InterfaceError", "InternalError", NoConnectionLeft.__name__}
    if kinds & passing and code not in _NEEDS_A_PERSON:
        return TransientError(what, kept=kept, todo="retry")
    return TerminalError(what, kept=kept, todo="look the code up in the manual of the database, mend it, and retry")


def migrate(engine: Engine) -> None:
    """Bring the database to the tables this code expects. Safe to call at any time, by any number of processes."""
    from include.store.migrations import upgrade

    upgrade(engine)
