"""The warehouse on both databases: the same tables, exact decimals, one state per reader, clean migration."""

from __future__ import annotations

import multiprocessing
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from threading import Timer
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from include.kernel.errors import BadInput, TerminalError, TransientError
from include.store import alarms, approvals, decisions, honours, ledger, migrations, waivers  # noqa: F401 (each declares tables of its own)
from include.store.bulk import fill
from include.store.warehouse import (
    PUBLISHED,
    SCHEMA,
    ExactDecimal,
    Moment,
    create_engine,
    metadata,
    migrate,
    pointer,
    reading,
    writing,
)

PROMISED = {  # the columns that officers and banks rely on, copied from the interface
    "generation": "as_of scheme_id scheme_version snapshot_set created_at published_at status reason",
    "enterprise_profile": "uscc name district industry_code established_on stage stage_reason",
    "enterprise_points": "uscc stage total foundation input management output environment coverage total_low total_high"
    " rank_all rank_stage rank_district percentile_stage",
    "category_points": "uscc category points",
    "points_ledger": "uscc indicator category value status segment raw_points weight points",
    "honours": "uscc honour place reason robust",
    "project_recommendation": "uscc programme place reason",
    "credit_list": "uscc product entry_reason suggested_limit_yuan stage_percentile",
    "ladder": "uscc rung holds eligible failed_conditions",
    "stage_distribution": "district stage enterprises share",
    "source_quality": "dataset scope as_of rows_in duplicates accepted quarantined accepted_share snapshot_age_days"
    " verdict",
    "once_only": "district applicable_pairs from_records_pairs share weighted_share",
    "once_only_indicator": "indicator applicable_pairs from_records_pairs share weighted_share",
    "once_only_gap": "uscc indicator reason datasets",
    "once_only_reason": "district indicator reason pairs",
    "fields_saved": "district form_from enterprises fields_asked fields_saved share",
}
EXACT = sa.Table(
    "exact", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("money", ExactDecimal(24, 6))
)


def schema_of(engine: Engine) -> str | None:
    return SCHEMA if engine.dialect.name == "postgresql" else None


def test_every_promised_table_and_its_view_have_exactly_the_promised_columns(warehouse: Engine) -> None:
    inspector, schema = sa.inspect(warehouse), schema_of(warehouse)
    assert set(inspector.get_table_names(schema)) >= {*PROMISED, "pointer"}
    assert set(inspector.get_view_names(schema)) == {f"current_{name}" for name in PROMISED}
    for name, columns in PROMISED.items():
        for table in (name, f"current_{name}"):
            found = [column["name"] for column in inspector.get_columns(table, schema)]
            assert found == ["generation_id", *columns.split()], table


def test_the_steps_of_migration_lead_to_the_tables_the_code_declares(warehouse: Engine) -> None:
    options = {"include_schemas": True, "target_metadata": metadata, "version_table": migrations.VERSION_TABLE}
    with reading(warehouse) as connection:
        if warehouse.dialect.name == "postgresql":
            assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
        inspector, schema = sa.inspect(connection), schema_of(warehouse)
        for table in metadata.tables.values():
            found = inspector.get_columns(table.name, schema if table.schema else None)
            declared = [(c.name, bool(c.nullable), str(c.type.compile(warehouse.dialect))) for c in table.columns]
            assert [(c["name"], c["nullable"], str(c["type"].compile(warehouse.dialect))) for c in found] == declared


def test_the_head_that_the_code_expects_is_the_last_step() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == migrations.HEAD


def migrate_anew(url: str) -> None:
    engine = create_engine(url)
    migrate(engine)
    engine.dispose()


def assert_migrated_once(url: str) -> None:
    engine = create_engine(url)
    with reading(engine) as connection:
        assert connection.execute(sa.select(pointer)).all() == [(1, None, 0)]
    engine.dispose()


def test_opening_a_new_sqlite_file_waits_for_whoever_writes_to_it(tmp_path: Path) -> None:
    """SQLite answers BUSY at once, without its timeout, when a file goes into WAL mode under another's write lock."""
    first = sqlite3.connect(tmp_path / "warehouse.sqlite", check_same_thread=False, isolation_level=None)
    first.execute("CREATE TABLE here (one)")
    first.execute("BEGIN IMMEDIATE")
    first.execute("INSERT INTO here VALUES (1)")
    later = Timer(0.3, first.execute, ["COMMIT"])
    later.start()
    engine = create_engine(f"sqlite:///{tmp_path}/warehouse.sqlite")
    with reading(engine) as connection:
        assert connection.scalar(sa.text("SELECT one FROM here")) == 1
    later.join()
    first.close()
    engine.dispose()


def test_eight_threads_may_migrate_at_once(warehouse_url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(migrate_anew, [warehouse_url] * 8))
    assert_migrated_once(warehouse_url)


def test_eight_processes_may_migrate_at_once(warehouse_url: str) -> None:
    fork = multiprocessing.get_context("fork")
    running = [fork.Process(target=migrate_anew, args=(warehouse_url,)) for _ in range(8)]
    for process in running:
        process.start()
    for process in running:
        process.join(60)
    assert [process.exitcode for process in running] == [0] * 8
    assert_migrated_once(warehouse_url)


def test_a_migration_that_fails_half_way_leaves_nothing(warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = create_engine(warehouse_url)

    def dies(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "CREATE VIEW" in statement and "current_ladder" in statement:
            raise RuntimeError("killed")

    sa.event.listen(engine, "before_cursor_execute", dies)
    with pytest.raises(RuntimeError):
        migrate(engine)
    sa.event.remove(engine, "before_cursor_execute", dies)
    assert sa.inspect(engine).get_table_names(schema_of(engine)) == []
    migrate(engine)
    assert "ladder" in sa.inspect(engine).get_table_names(schema_of(engine))


@pytest.fixture
def exact(warehouse: Engine) -> Engine:
    with writing(warehouse) as connection:
        EXACT.create(connection)
    return warehouse


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.integers(-(10**15) + 1, 10**15 - 1).flatmap(
            lambda digits: st.integers(-6, 0).map(lambda exponent: Decimal(digits).scaleb(exponent))
        ),
        min_size=1,
        max_size=8,
    )
)
def test_decimals_come_back_as_they_went_in(exact: Engine, values: list[Decimal]) -> None:
    numbered = dict(enumerate(values))
    by_arrow = {id + 100: value.quantize(Decimal("0.000001")) for id, value in numbered.items()}
    with writing(exact) as connection:
        connection.execute(sa.delete(EXACT))
        connection.execute(sa.insert(EXACT), [{"id": id, "money": value} for id, value in numbered.items()])
        if exact.dialect.name == "sqlite":
            column = pa.array(by_arrow.values(), pa.decimal128(24, 6))
            fill(connection, EXACT, pa.table({"id": pa.array(by_arrow), "money": column}))
            numbered |= by_arrow
    with reading(exact) as connection:
        found = {row.id: row.money for row in connection.execute(sa.select(EXACT))}
    assert found == numbered
    assert all(value.as_tuple().exponent == -6 for value in found.values())


def test_a_decimal_that_would_not_come_back_is_refused_without_showing_it(exact: Engine) -> None:
    refused = {"1234567890.123456": "15 significant digits", "0.0000001": "more than the column's 6 places"}
    if exact.dialect.name == "postgresql":
        del refused["1234567890.123456"]  # PostgreSQL keeps it exactly
    for text, why in refused.items():
        with pytest.raises(TerminalError, match=why) as error, writing(exact) as connection:
            connection.execute(sa.insert(EXACT).values(money=Decimal(text)))
        assert text not in str(error.value)
    for value in (1.5, Decimal("NaN"), Decimal("Infinity"), "1.5"):
        with pytest.raises(TerminalError, match="takes a finite Decimal"), writing(exact) as connection:
            connection.execute(sa.insert(EXACT).values(money=value))
    with reading(exact) as connection:
        assert connection.execute(sa.select(EXACT)).all() == []


def test_bulk_refuses_the_same_decimals(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/new/folder/w.sqlite")
    column = pa.array(
        [Decimal("1"), Decimal("12345678901.000000"), None, Decimal("1234567890.123456")], pa.decimal128(24, 6)
    )
    with writing(engine) as connection:
        EXACT.create(connection)
    with pytest.raises(TerminalError, match="15 significant digits"), writing(engine) as connection:
        fill(connection, EXACT, pa.table({"id": [1, 2, 3, 4], "money": column}))


def test_moments_are_aware_and_in_utc(warehouse: Engine) -> None:
    table = sa.Table("moments", sa.MetaData(), sa.Column("at", Moment))
    at = datetime(2026, 11, 23, 1, 0, 0, 5, tzinfo=timezone(timedelta(hours=8)))
    with writing(warehouse) as connection:
        table.create(connection)
        connection.execute(sa.insert(table).values(at=at))
        connection.execute(sa.insert(table).values(at=None))
        assert connection.scalars(sa.select(table.c.at).order_by(table.c.at.is_(None))).all() == [
            datetime(2026, 11, 22, 17, 0, 0, 5, tzinfo=UTC),
            None,
        ]


def test_many_writers_wait_for_each_other(warehouse: Engine) -> None:
    def count_up(_: int) -> None:
        for _ in range(20):
            with writing(
                warehouse
            ) as connection:  # reads first, then writes: the case that SQLite refuses without care
                row = connection.execute(sa.select(pointer).with_for_update()).one()
                connection.execute(sa.update(pointer).values(version=row.version + 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count_up, range(8)))
    with reading(warehouse) as connection:
        assert connection.scalar(sa.select(pointer.c.version)) == 160


def test_a_reader_sees_one_state_in_all_its_statements(warehouse: Engine) -> None:
    with reading(warehouse) as connection:
        before = connection.scalar(sa.select(pointer.c.version))
        with writing(warehouse) as other:
            other.execute(sa.update(pointer).values(version=7))
        assert connection.scalar(sa.select(pointer.c.version)) == before
    with reading(warehouse) as connection:
        assert connection.scalar(sa.select(pointer.c.version)) == 7


def test_database_errors_are_one_line_and_show_no_value(warehouse: Engine) -> None:
    unknown = {"generation_id": 1, "district": "CANARY", "stage": "x", "enterprises": 1, "share": Decimal("0.5")}
    with (
        pytest.raises(TerminalError, match=r"\((SQLITE_CONSTRAINT_FOREIGNKEY|23503)\)") as error,
        writing(warehouse) as connection,
    ):
        connection.execute(sa.insert(PUBLISHED["stage_distribution"]).values(unknown))
    assert "CANARY" not in str(error.value)
    with reading(warehouse) as connection:
        assert connection.execute(sa.select(PUBLISHED["stage_distribution"])).all() == []


@pytest.mark.parametrize("open_it", [reading, writing])
def test_a_process_whose_connections_are_all_in_use_is_told_to_retry(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch, open_it: Callable[[Engine], AbstractContextManager[Any]]
) -> None:
    monkeypatch.setattr(warehouse.pool, "_timeout", 0.05)
    with ExitStack() as others:
        for _ in range(15):  # SQLAlchemy's five, and ten more
            others.enter_context(warehouse.connect())
        with pytest.raises(TransientError, match="TimeoutError"), open_it(warehouse):
            pass
    with open_it(warehouse) as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1


def test_a_reading_within_another_is_part_of_it(warehouse: Engine) -> None:
    with reading(warehouse) as whole:
        with reading(whole) as part:
            assert part is whole
        assert whole.scalar(sa.text("SELECT 1")) == 1


def test_a_warehouse_that_does_not_answer_is_worth_a_retry(tmp_path: Path) -> None:
    engine = create_engine(f"postgresql://nobody@/x?host={tmp_path}")
    with pytest.raises(TransientError), reading(engine):
        pass


@pytest.mark.parametrize("url", ["not a url", "mysql://localhost/x", "sqlite://"])
def test_an_address_that_is_no_warehouse_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match=r"warehouse.*do: "):
        create_engine(url)


def test_the_ledger_is_part_of_the_same_metadata() -> None:
    assert ledger.run_lease.metadata is metadata


def test_category_columns_of_an_older_warehouse_become_rows_and_may_then_be_null(warehouse_url: str) -> None:
    engine = create_engine(warehouse_url)
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    prefix = f"{schema_of(engine)}." if schema_of(engine) else ""
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            sa.text(
                f"INSERT INTO {prefix}generation VALUES"
                " (1, '2026-11-20', 'changzhou_v1', '1', 's', '2026-11-20', '2026-11-20', 'current', NULL)"
            )
        )
        connection.execute(sa.text(f"UPDATE {prefix}pointer SET generation_id = 1"))
        points = "1, 'A', '初创期', '15.005', '1.001', '2.001', '3.001', '4.001', '5.001', '0.5', '15', '16', 1, 1, 1"
        connection.execute(sa.text(f"INSERT INTO {prefix}enterprise_points VALUES ({points}, NULL)"))
    migrate(engine)
    with reading(engine) as connection:
        rows = connection.execute(sa.select(PUBLISHED["category_points"])).all()
        seen = connection.execute(
            sa.text(f"SELECT total, foundation, environment FROM {prefix}current_enterprise_points")
        )
        assert [[str(figure) for figure in row] for row in seen] == [["15.005", "1.001", "5.001"]]
    assert {(row.category, str(row.points)) for row in rows} == {
        ("foundation", "1.001"),
        ("input", "2.001"),
        ("management", "3.001"),
        ("output", "4.001"),
        ("environment", "5.001"),
    }
    with writing(engine) as connection:
        connection.execute(sa.update(PUBLISHED["enterprise_points"]).values(foundation=None))


def test_rolls_and_answers_of_before_are_kept_and_one_in_public_keeps_its_approval(warehouse_url: str) -> None:
    engine = create_engine(warehouse_url)
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    prefix = f"{schema_of(engine)}." if schema_of(engine) else ""
    day = "'2026-11-23'"
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0010")
        for number, status, until in ((1, "notice", "'2026-12-07'"), (2, "proposed", "NULL")):
            roll = f"{number}, 2026, 's', '1', 1, {day}, 'sha', {day}, 'run{number}', '{status}', {until}, NULL, NULL"
            asked = f"'run{number}', 'roll {number} sha', {day}, 'Approve', 'chen', '', {day}"
            entry = f"{number}, 'A', '标兵企业', 1, '甲', '320411', '初创期', NULL, NULL"
            for table, row in (("honour_roll", roll), ("honour_candidate", entry)):
                connection.execute(sa.text(f"INSERT INTO {prefix}{table} VALUES ({row})"))
            connection.execute(sa.text(f"INSERT INTO run_approval VALUES ({asked})"))
    migrate(engine)
    kept = honours.rolls(engine)
    assert [(one.roll_id, one.status, one.notice_days) for one in kept] == [(2, "proposed", 7), (1, "notice", 7)]
    assert [one.name for one in honours.candidates(engine, 1)] == ["甲"]
    told = [approvals.approval(engine, f"run{number}") for number in (1, 2)]
    assert [(one.about, one.person) for one in told if one] == [
        ("roll 1 sha for 7 days", "chen"),
        ("roll 2 sha", "chen"),  # asked about by a new run
    ]
    with pytest.raises(TerminalError), writing(engine) as connection:  # children still need their roll
        connection.execute(sa.text(f"INSERT INTO {prefix}honour_candidate VALUES ({entry.replace('2', '9', 1)})"))
    honours.reject(engine, kept[1])
    with pytest.raises(TerminalError), writing(engine) as connection:
        connection.execute(sa.text(f"UPDATE {prefix}honour_roll SET status = 'notice' WHERE roll_id = 1"))


def test_a_publication_of_before_holds_what_its_moment_said_that_it_covers(warehouse_url: str) -> None:
    engine = create_engine(warehouse_url)
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0011")
        connection.execute(sa.text("INSERT INTO run_snapshot_set VALUES ('one', '[]')"))
        for district, scored in (("320411", "2026-11-23 01:00:00"), ("320412", "2026-11-23 01:09:00")):
            row = f"'2026-11-23', '{district}', 's', 'one', 3, 'p{district}', '{scored}', 'night'"
            connection.execute(sa.text(f"INSERT INTO run_result VALUES ({row})"))
        row = "1, '2026-11-23', 's', 'one', 'c', 'night', '2026-11-23 01:05:00'"
        connection.execute(sa.text(f"INSERT INTO run_publication VALUES ({row})"))
    migrate(engine)
    with reading(engine) as connection:
        assert connection.scalar(sa.select(ledger.run_publication.c.points)) == {"320411": "p320411"}
