"""Row security on PostgreSQL: who is not the pipeline reads the districts that its transaction names, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import URL, Connection, Engine, make_url

from include.publish.generations import publish
from include.store.ledger import Ledger
from include.store.warehouse import PUBLISHED, create_engine, generation, migrate, pointer
from tests.publish.conftest import DISTRICTS, make_tables

pytestmark = pytest.mark.services

HERE, THERE = DISTRICTS


@pytest.fixture(scope="module")
def secured(new_postgresql_database: Callable[[], str]) -> Iterator[tuple[Engine, URL]]:
    """A database whose owner, the pipeline, is no superuser and has published; and the reader's way in."""
    url = make_url(new_postgresql_database())

    def as_administrator(*statements: str) -> None:
        with psycopg.connect(url.set(drivername="postgresql").render_as_string(False), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    as_administrator("CREATE ROLE pipeline LOGIN CREATEROLE", f"ALTER DATABASE {url.database} OWNER TO pipeline")
    as_administrator("GRANT ALL ON SCHEMA public TO pipeline")
    engine = create_engine(url.set(username="pipeline").render_as_string(False))
    migrate(engine)
    ledger = Ledger(engine)
    texts = {"scheme_id": "changzhou_v1", "scheme_version": "1", "reason": "", "content_sha": "a"}
    members = ledger.snapshot_set([["TAX_CIT", HERE, "2026-11-23", "a1"]])
    with ledger.acquire("publish", "test", 60) as lease:
        day, tables = date(2026, 11, 23), make_tables(12)
        publish(engine, lease=lease, as_of=day, points={}, tables=tables, snapshot_set=members, **texts)
    as_administrator("CREATE ROLE officer LOGIN IN ROLE innopoints_reader")
    yield engine, url.set(username="officer")
    engine.dispose()


@pytest.fixture
def officer(secured: tuple[Engine, URL]) -> Iterator[Connection]:
    """A connection of somebody who may read, and has not said what."""
    engine = create_engine(secured[1].render_as_string(False))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def names(connection: Connection, districts: str) -> None:
    """Until the transaction ends the connection reads these."""
    connection.execute(sa.select(sa.func.set_config("innopoints.districts", districts, True)))


def seen(connection: Connection, relation: str) -> list[tuple]:
    """All that a table or a view of the schema shows."""
    return sorted(map(tuple, connection.execute(sa.text(f"SELECT * FROM publish.{relation}"))), key=str)


def published(owner: Engine, table: sa.Table, district: str) -> list[tuple]:
    """What belongs to a district, chosen here from all that the pipeline reads."""
    with owner.connect() as connection:
        profile = connection.execute(sa.text("SELECT uscc, district FROM publish.enterprise_profile")).all()
        own = {row.uscc for row in profile if row.district == district}
        rows = connection.execute(sa.text(f"SELECT * FROM publish.{table.name}")).all()
    area = next((name for name in ("uscc", "district", "scope") if name in table.c), None)
    return sorted((tuple(row) for row in rows if not area or getattr(row, area) in {*own, district}), key=str)


@pytest.mark.parametrize("table", PUBLISHED.values(), ids=str)
def test_a_reader_sees_the_named_district_alone_in_the_table_and_in_its_view(
    secured: tuple[Engine, URL], officer: Connection, table: sa.Table
) -> None:
    for district in (HERE, THERE):
        mine = published(secured[0], table, district)
        with officer.begin():
            names(officer, district)
            assert seen(officer, table.name) == mine
            assert seen(officer, f"current_{table.name}") == mine
    if table.name == "enterprise_profile":
        assert mine


def test_who_names_nothing_sees_no_enterprise_and_a_name_ends_with_its_transaction(officer: Connection) -> None:
    with officer.begin():
        names(officer, f"{HERE},{THERE}")
        assert len(seen(officer, "enterprise_points")) == 12
    with officer.begin():
        for name in [name for name, table in PUBLISHED.items() if "uscc" in table.c]:
            assert seen(officer, name) == []
    with officer.begin():
        names(officer, "3204")
        assert seen(officer, "enterprise_profile") == []


def test_every_table_of_the_schema_is_secured_for_its_owner_too(secured: tuple[Engine, URL]) -> None:
    query = (
        "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class"
        " WHERE relnamespace = 'publish'::regnamespace AND relkind = 'r'"
    )
    views = "SELECT count(*) FROM pg_class WHERE relnamespace = 'publish'::regnamespace AND relkind = 'v'"
    with secured[0].connect() as connection:
        tables = {name: (secure, forced) for name, secure, forced in connection.execute(sa.text(query))}
        invoking = connection.scalar(sa.text(views + " AND 'security_invoker=true' = ANY (reloptions)"))
        assert invoking == connection.scalar(sa.text(views))
        assert (
            connection.scalar(sa.text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"))
            is False
        )
    assert set(tables) > {*PUBLISHED, generation.name, pointer.name}
    assert set(tables.values()) == {(True, True)}


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM publish.enterprise_points",
        "UPDATE publish.pointer SET generation_id = NULL",
        "INSERT INTO publish.credit_list (generation_id, uscc, product) VALUES (1, 'x', 'y')",
        "ALTER TABLE publish.enterprise_points DISABLE ROW LEVEL SECURITY",
        "SET ROLE pipeline",
        "SELECT * FROM run_lease",
    ],
)
def test_a_reader_changes_nothing_and_reads_no_ledger(officer: Connection, statement: str) -> None:
    with officer.begin(), pytest.raises(sa.exc.ProgrammingError, match=r"(?i)permission denied|must be owner"):
        officer.execute(sa.text(statement))
