"""The steps by which the warehouse's tables came to be, run by Alembic with its own version table and no ini file."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

from include.store.warehouse import reading, writing

HEAD = "0012"
VERSION_TABLE = "innopoints_version"

_one_at_a_time = Lock()  # Alembic's context is global to the process


def upgrade(engine: Engine) -> None:
    """Run the missing steps, all of them in one transaction. Processes that arrive together queue up for it."""
    if _version(engine) == HEAD:
        return
    with _one_at_a_time, writing(engine) as connection:
        if engine.dialect.name == "postgresql":  # SQLite has its write lock already
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(VERSION_TABLE))))
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _version(engine: Engine) -> str | None:
    with reading(engine) as connection:
        if not sa.inspect(connection).has_table(VERSION_TABLE):
            return None
        return connection.scalar(sa.text(f"SELECT version_num FROM {VERSION_TABLE}"))
