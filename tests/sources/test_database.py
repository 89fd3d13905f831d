"""The database driver on SQLite and PostgreSQL: the same rows give the same text, counted in one read transaction."""

import json
import sqlite3
from collections.abc import Callable
from datetime import date
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from include.contracts import require_contract
from include.kernel.connections import Connection
from include.kernel.errors import TerminalError, TransientError
from include.kernel.periods import arrival_cutoff
from include.sources import database
from include.sources.declaration import source_of
from include.sources.pull import Page, Patience, Pull, Request, pull

CONTRACT = require_contract("TAX_VAT")
NATIVES = [column.native for column in CONTRACT.columns.values()]
DAY = date(2026, 11, 23)
TYPES = {
    "SKSSQQ": ("TEXT", "date"),
    "SKSSQZ": ("TEXT", "date"),
    "XSE": ("NUMERIC", "numeric(18,2)"),
    "MDTXSE": ("REAL", "numeric"),
    "GZCS": ("INTEGER", "integer"),
    "SBRQ": ("TEXT", "date"),
    "RKSJ": ("TEXT", "timestamp"),
}


def filing(number: int, **changed: object) -> dict[str, object]:
    row = {
        "SBUUID": f"f{number:05d}", "NSRSBH": "91320411YY00000018", "SHXYDM": None, "NSRMC": "常州㐀𠮷有限公司",
        "SKSSQQ": "2026-10-01", "SKSSQZ": "2026-10-31", "SBZQ": "月", "XSE": "1200.00", "MDTXSE": 0.5, "ZFBZ_1": "N",
        "GZCS": 0, "SBRQ": "2026-11-10", "GLQH_DM": "320411", "RKSJ": "2026-11-22 23:59:59",
    }  # fmt: skip
    return row | changed


def sqlite_with(path: Path, rows: list[dict[str, object]], columns: list[str] = NATIVES) -> str:
    with sqlite3.connect(path) as connection:
        types = ", ".join(f'"{name}" {TYPES.get(name, ("TEXT",))[0]}' for name in columns)
        connection.execute(f"CREATE TABLE base ({types})")
        connection.execute("CREATE VIEW V_SB_ZZS AS SELECT * FROM base")
        places = ", ".join(f":{name}" for name in columns)
        connection.executemany(f"INSERT INTO base VALUES ({places})", rows)
    return f"sqlite:///{path}"


def postgresql_with(url: str, rows: list[dict[str, object]]) -> str:
    """Unquoted names, as careless views have them: PostgreSQL keeps them in lower case."""
    with psycopg.connect(url) as connection:
        types = ", ".join(f"{name} {TYPES.get(name, (None, 'text'))[1]}" for name in NATIVES)
        connection.execute(f"CREATE TABLE base ({types})".encode())
        connection.execute(b"CREATE VIEW V_SB_ZZS AS SELECT * FROM base")
        places = ", ".join(f"%({name})s" for name in NATIVES)
        connection.cursor().executemany(f"INSERT INTO base VALUES ({places})".encode(), rows)
    return url


def ask(url: str, scope: str = "320411", since: date | None = date(2023, 1, 1)) -> Pull:
    request = Request("TAX_VAT", scope, DAY, arrival_cutoff(DAY), since)
    connection = Connection("innopoints_tax_database", "generic", extra={"url": url})
    return pull(source_of(CONTRACT), CONTRACT, request, connection, Patience(connect=1, read=1))


def taken(reply: Pull) -> list[Page]:
    pages = list(reply)
    assert reply.declared == sum(len(page.rows) for page in pages)
    return pages


ROWS = [
    filing(1),
    filing(2, XSE="-0.10", MDTXSE=1234567.25, RKSJ="2026-11-01 08:00:00"),
    filing(3, XSE="200", MDTXSE=0, GZCS=3),
    filing(4, SKSSQQ="2023-01-01", SHXYDM="91320411YY00000018"),
    filing(5, SKSSQQ="2022-12-31"),
    filing(6, RKSJ="2026-11-23 00:00:00"),
    filing(7, GLQH_DM="320412"),
]


def kinds(tmp_path: Path, new_database: Callable[[], str], rows: list[dict[str, object]]) -> list[str]:
    return [sqlite_with(tmp_path / "front.sqlite", rows), postgresql_with(new_database(), rows)]


@pytest.mark.services
def test_both_databases_give_the_same_text_of_the_same_rows(
    tmp_path: Path, new_postgresql_database: Callable[[], str]
) -> None:
    texts = []
    for url in kinds(tmp_path, new_postgresql_database, ROWS):
        (page,) = taken(ask(url))
        assert json.loads(page.raw) == page.rows
        texts.append(page.rows)
    assert texts[0] == texts[1]
    assert [row["SBUUID"] for row in texts[0]] == ["f00002", "f00001", "f00003", "f00004"]
    amounts = [(row["XSE"], row["MDTXSE"], row["GZCS"]) for row in texts[0]]
    assert amounts == [
        ("-0.10", "1234567.25", "0"),
        ("1200.00", "0.50", "0"),
        ("200.00", "0.00", "3"),
        ("1200.00", "0.50", "0"),
    ]
    assert texts[0][1] == {
        **{name: str(value) for name, value in filing(1).items()}, "SHXYDM": None, "XSE": "1200.00", "MDTXSE": "0.50",
    }  # fmt: skip


@pytest.mark.services
def test_a_table_that_changes_while_it_is_read_is_read_as_it_was(
    new_postgresql_database: Callable[[], str],
) -> None:
    url = postgresql_with(new_postgresql_database(), [filing(i) for i in range(database.ROWS_PER_PAGE + 1)])
    reply = ask(url)
    pages = iter(reply)
    first = next(pages)
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("DELETE FROM base WHERE sbuuid > 'f02000'")
    assert len(first.rows) + sum(len(page.rows) for page in pages) == database.ROWS_PER_PAGE + 1
    assert reply.declared == database.ROWS_PER_PAGE + 1


@pytest.mark.services
def test_nothing_can_be_written_through_the_reading_connection(
    tmp_path: Path, new_postgresql_database: Callable[[], str]
) -> None:
    for url in kinds(tmp_path, new_postgresql_database, ROWS):
        connection = Connection("x", extra={"url": url})
        engine = database._engine(connection, Patience(), "here")
        with engine.connect() as link:
            database._begin_reading(link)
            with pytest.raises(sa.exc.DBAPIError, match=r"readonly|read-only"):
                link.execute(sa.text("DELETE FROM base"))


@pytest.mark.services
def test_a_refused_log_in_is_terminal_and_tells_no_password(new_postgresql_database: Callable[[], str]) -> None:
    url = postgresql_with(new_postgresql_database(), [])
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS reader")
        connection.execute("CREATE ROLE reader LOGIN PASSWORD 'canary-right'")
    reader = sa.make_url(url).set(username="reader").render_as_string(hide_password=False)
    with pytest.raises(TerminalError, match="refuses our credentials") as refused:
        taken(ask(reader))
    assert "canary" not in str(refused.value)


def test_every_page_holds_at_most_five_thousand_rows_and_the_city_is_all_areas(tmp_path: Path) -> None:
    url = sqlite_with(tmp_path / "front.sqlite", [filing(i, GLQH_DM=f"3204{i % 90:02d}") for i in range(12_001)])
    assert [len(page.rows) for page in taken(ask(url, scope="city"))] == [5000, 5000, 2001]
    assert taken(ask(url, scope="320499")) == []


def test_an_area_cannot_leave_its_parameter(tmp_path: Path) -> None:
    url = sqlite_with(tmp_path / "front.sqlite", ROWS)
    assert taken(ask(url, scope="320411' OR '1'='1")) == []


def test_a_view_or_a_column_that_is_gone_breaks_the_contract(tmp_path: Path) -> None:
    columns = [name for name in NATIVES if name != "MDTXSE"] + ["MDTXSE_NEW"]
    url = sqlite_with(tmp_path / "front.sqlite", [], columns)
    with pytest.raises(TerminalError, match="fields are missing: MDTXSE; unregistered fields came: MDTXSE_NEW"):
        taken(ask(url))
    empty = tmp_path / "empty.sqlite"
    sqlite3.connect(empty).execute("CREATE TABLE other (x)").connection.commit()
    with pytest.raises(TerminalError, match="there is no view V_SB_ZZS"):
        taken(ask(f"sqlite:///{empty}"))


def test_what_changed_is_told_in_one_message(tmp_path: Path) -> None:
    renamed = ["MDTXSE_NEW" if name == "MDTXSE" else name for name in NATIVES]
    url = sqlite_with(tmp_path / "front.sqlite", [], ["LXDH", *renamed])
    told = (
        "fields are missing: MDTXSE; unregistered fields came: LXDH, MDTXSE_NEW; perhaps renamed: MDTXSE -> MDTXSE_NEW"
    )
    with pytest.raises(TerminalError, match=told):
        taken(ask(url))


def test_an_unregistered_column_is_reported_and_never_read(tmp_path: Path) -> None:
    url = sqlite_with(tmp_path / "front.sqlite", [filing(1, LXDH="canary")], [*NATIVES, "LXDH"])
    reply = ask(url)
    (page,) = taken(reply)
    assert (reply.unregistered, "LXDH" in page.rows[0], b"canary" in page.raw) == (["LXDH"], False, False)
    assert reply.order == [*NATIVES, "LXDH"]


def test_an_absent_database_is_transient_and_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match="not there"):
        taken(ask(f"sqlite:///{tmp_path / 'none.sqlite'}"))
    assert not (tmp_path / "none.sqlite").exists()
    with pytest.raises(TransientError, match="the database failed"):
        taken(ask("postgresql://nobody@127.0.0.1:9/x"))


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"url": "canary no url"},
        {"url": "mysql://canary@h/x"},
        {"url": "postgresql://canary@[h/x"},
        {"url": 7},
        {"url": "postgresql://reader:canary@h/x"},
    ],
)
def test_a_connection_without_a_usable_url_is_refused_without_quoting_it(extra: dict[str, str]) -> None:
    request = Request("TAX_VAT", "320411", DAY, arrival_cutoff(DAY), None)
    connection = Connection("innopoints_tax_database", "generic", extra=extra)
    with pytest.raises(TerminalError, match="Connection 'innopoints_tax_database'") as refused:
        taken(pull(source_of(CONTRACT), CONTRACT, request, connection))
    assert "canary" not in str(refused.value)
