"""Departments that open read-only views of their front-end database: one read transaction, counted before and after.

SQLite stands in for PostgreSQL on one machine; the rows come out as the same text from both.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from include.contracts import Column, Contract
from include.kernel.areas import CITY
from include.kernel.connections import Connection
from include.kernel.errors import TerminalError, TransientError
from include.kernel.periods import SHANGHAI
from include.sources.declaration import DatabaseSource, View
from include.sources.reply import KEPT, Fields, Page, Patience, Request

ROWS_PER_PAGE = 5000
_WALL_TIME = "%Y-%m-%d %H:%M:%S"


def pages(
    source: DatabaseSource,
    contract: Contract,
    request: Request,
    connection: Connection,
    fields: Fields,
    patience: Patience,
    where: str,
) -> Generator[Page, None, int]:
    """Stream the view's rows in a stable order. The same predicate counts them before and after; all three agree."""
    view = source.datasets[request.dataset]
    engine = _engine(connection, patience, where)
    try:
        with engine.connect() as link:
            _begin_reading(link)
            table = _table(link, view, fields, where)
            predicate = _predicate(table, view, request)
            count = sa.select(sa.func.count()).select_from(table).where(predicate)
            before = link.execute(count).scalar_one()
            order = [view.arrival_column, *(contract.columns[name].native for name in contract.key)]
            rows = (
                sa.select(*(table.c[_folded(name)].label(name) for name in fields.registered))
                .where(predicate)
                .order_by(*(table.c[_folded(name)] for name in order))
            )
            streamed = 0
            result = link.execution_options(stream_results=True, yield_per=ROWS_PER_PAGE).execute(rows)
            for number, part in enumerate(result.mappings().partitions(), start=1):
                streamed += len(part)
                page = [{name: _text(row[name], fields.registered[name], where) for name in row} for row in part]
                raw = json.dumps(page, ensure_ascii=False).encode()
                yield Page(number, f"rows-{number:05d}.json", raw, page)
            after = link.execute(count).scalar_one()
    except sa.exc.DBAPIError as error:
        raise _failed(error, connection, where) from None
    finally:
        engine.dispose()
    if not before == streamed == after:
        raise TransientError(
            f"the view changed while it was read: {before} rows before, {streamed} streamed, {after} after",
            where=where,
            kept=KEPT,
            todo="nothing; the task asks again",
        )
    return before


def _engine(connection: Connection, patience: Patience, where: str) -> sa.Engine:
    try:
        url = sa.make_url(connection.extra["url"])
        urlsplit(connection.extra["url"])  # refuses half a bracket, which would look like a host that is down
        backend = url.get_backend_name()
    except (KeyError, ValueError, sa.exc.ArgumentError):
        raise _misconfigured(connection, "its extra holds no readable `url`", where) from None
    if backend == "sqlite":
        # SQLite would create an empty database where none is.
        if not (url.database and Path(url.database).is_file()):
            raise TransientError(
                "the front-end database file is not there",
                where=where,
                kept=KEPT,
                todo=f"check that the department is up, or the `url` in Connection {connection.conn_id!r}",
            )
        return sa.create_engine(url, poolclass=sa.NullPool, connect_args={"timeout": patience.read})
    if url.password:
        raise _misconfigured(connection, "its `url` carries a password, which Airflow would show", where)
    if backend == "postgresql":
        url = url.set(username=connection.login or url.username, password=connection.password or None)
        waits = {
            "connect_timeout": max(1, round(patience.connect)),
            "options": f"-c lock_timeout={round(patience.read * 1000)}"
            f" -c statement_timeout={round(patience.page * 1000)}",  # of each portion of rows
        }
        return sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            poolclass=sa.NullPool,
            connect_args=waits,
            isolation_level="REPEATABLE READ",
            execution_options={"postgresql_readonly": True},
        )
    raise _misconfigured(connection, f"databases of the kind {backend!r:.40} are not read", where)


def _begin_reading(link: sa.Connection) -> None:
    """One consistent view for everything that follows. PostgreSQL has it from the engine; SQLite must be told."""
    if link.dialect.name == "sqlite":
        link.exec_driver_sql("PRAGMA query_only = ON")
        link.exec_driver_sql("BEGIN")


def _table(link: sa.Connection, view: View, fields: Fields, where: str) -> sa.TableClause:
    """The view as the database has it, columns keyed by their folded names; its fields are accounted for."""
    inspector = sa.inspect(link)
    names = {_folded(name): name for name in [*inspector.get_view_names(), *inspector.get_table_names()]}
    if _folded(view.view) not in names:
        raise TerminalError(
            f"there is no view {view.view}",
            where=where,
            kept=KEPT,
            todo="ask the department to open it to us, or correct the source's `datasets`",
        )
    name = names[_folded(view.view)]
    held = {_folded(column["name"]): column for column in inspector.get_columns(name)}
    spelling = {_folded(native): native for native in fields.registered}
    fields.account([spelling.get(key, column["name"]) for key, column in held.items()], where, whole=True)
    used = {view.area_column, view.arrival_column, *([view.period_column] if view.period_column else [])}
    if absent := sorted(column for column in used if _folded(column) not in held):
        raise TerminalError(f"view {view.view} has no column {', '.join(absent)}", where=where, kept=KEPT)
    # SQLite's declared types are hints: its values are taken as they are stored.
    untyped = link.dialect.name == "sqlite"
    columns = [
        sa.Column(
            sa.quoted_name(column["name"], quote=True), sa.types.NullType() if untyped else column["type"], key=key
        )
        for key, column in held.items()
    ]
    return sa.Table(sa.quoted_name(name, quote=True), sa.MetaData(), *columns)


def _predicate(table: Any, view: View, request: Request) -> sa.ColumnElement[bool]:
    arrival = table.c[_folded(view.arrival_column)]
    conditions = [arrival < _bound(arrival, request.arrived_before)]
    if request.scope != CITY:
        conditions.append(table.c[_folded(view.area_column)] == request.scope)
    if request.since and view.period_column:
        period = table.c[_folded(view.period_column)]
        floor = datetime.combine(request.since, datetime.min.time(), SHANGHAI)
        conditions.append(period >= _bound(period, floor))
    return sa.and_(*conditions)


def _bound(column: Any, moment: datetime) -> datetime | date | str:
    """`moment` in the form that `column` compares with: a timestamp, a date, or the text that the bureau writes."""
    moment = moment.astimezone(SHANGHAI)
    if isinstance(column.type, sa.types.DateTime):
        return moment if column.type.timezone else moment.replace(tzinfo=None)
    if isinstance(column.type, sa.types.Date):
        return moment.date()
    text = moment.strftime(_WALL_TIME)
    return text.removesuffix(" 00:00:00")


def _text(value: Any, column: Column, where: str) -> str | None:
    """A value as text, the same from every database: wall time in Shanghai, plain digits, as many decimals as the
    contract declares unless there are more.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        if not number.is_finite():
            return str(number)
        whole, _, fraction = format(number, "f").partition(".")
        fraction = fraction.rstrip("0").ljust(column.decimals, "0")
        return f"{whole}.{fraction}" if fraction else whole
    if isinstance(value, datetime):
        wall = value.astimezone(SHANGHAI) if value.tzinfo else value
        return wall.strftime(_WALL_TIME) + (f".{wall.microsecond:06d}" if wall.microsecond else "")
    if isinstance(value, date):
        return value.isoformat()
    raise TerminalError(f"column {column.native} holds a {type(value).__name__}, which is no plain value", where=where)


def _folded(name: str) -> str:
    """Identifiers compare without case: PostgreSQL writes the unquoted names of a view in lower case."""
    return name.upper()


def _failed(error: sa.exc.DBAPIError, connection: Connection, where: str) -> TransientError | TerminalError:
    """The driver's text may hold the statement, its parameters, the address: only what kind of failure it was goes on.
    A server refuses a log-in before there is a session, so PostgreSQL gives no SQLSTATE, only words.
    """
    if "authentication failed" in str(error.orig) or "permission denied" in str(error.orig):
        return TerminalError(
            "the department refuses our credentials",
            where=where,
            kept=KEPT,
            todo=f"correct the `url` in Connection {connection.conn_id!r}, then clear the task",
        )
    return TransientError(
        f"the database failed ({type(error.orig).__name__})",
        where=where,
        kept=KEPT,
        todo="nothing; the task asks again",
    )


def _misconfigured(connection: Connection, what: str, where: str) -> TerminalError:
    return TerminalError(
        f"Connection {connection.conn_id!r}: {what}",
        where=where,
        kept=KEPT,
        todo="correct it in Airflow (Admin > Connections)",
    )
