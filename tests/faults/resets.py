"""A database that is lost at a chosen statement: the session really ends, on PostgreSQL and on SQLite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import Engine


@contextmanager
def at_statement(n: int | None, do: Callable[[Any], None], target: Any = Engine) -> Iterator[list[str]]:
    """`do(connection)` before the n-th statement of `target` (an engine, or all of them), COPY and COMMIT included;
    gives the statements that were reached.
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
    """The session is lost: PostgreSQL is told by another one to terminate it, SQLite's handle is closed."""
    driver = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        driver.close()
        return
    with psycopg.connect(driver.info.dsn, autocommit=True, password=driver.info.password or None) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [driver.info.backend_pid])
