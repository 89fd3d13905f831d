"""A database that is lost at a chosen statement: the session really ends, the statement is really interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import Engine


@contextmanager
def at_statement(n: int | None, do: Callable[[Any], None], target: Any = Engine) -> Iterator[list[str]]:
    """`do(connection)` before the n-th statement of `target` (an engine, or all of them), COMMIT included; gives the
    statements that were reached.
    """
    reached: list[str] = []

    def count(connection: Any, statement: str) -> None:
        reached.append(statement)
        if len(reached) == n:
            do(connection)

    def execute(connection: Any, _cursor: Any, statement: str, *_: object) -> None:
        count(connection, statement)

    def commit(connection: Any) -> None:
        count(connection, "COMMIT")

    sa.event.listen(target, "before_cursor_execute", execute)
    sa.event.listen(target, "commit", commit)
    try:
        yield reached
    finally:
        sa.event.remove(target, "before_cursor_execute", execute)
        sa.event.remove(target, "commit", commit)


def end_session(connection: Any) -> None:
    """PostgreSQL terminates the session, told so by another one; SQLite interrupts the statement that follows."""
    driver = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        interrupted: list[bool] = []
        driver.set_progress_handler(lambda: not interrupted and not interrupted.append(True), 1)
        return
    with psycopg.connect(driver.info.dsn, autocommit=True, password=driver.info.password or None) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [driver.info.backend_pid])


def end_session_after_commit(connection: Any) -> None:
    """PostgreSQL carries the commit out; the session ends before its answer arrives."""
    connection.connection.driver_connection.commit()
    end_session(connection)
    raise psycopg.OperationalError("the connection is lost")
