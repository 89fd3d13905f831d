"""A year's honours, which freeze; who answered the forms that ask for a person; departments that were asked again."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Boolean, CheckConstraint, Column, Date, Integer, Text

from include.store.warehouse import Moment

revision = "0008"
down_revision = "0007"

NEVER_CHANGED = ("honour_candidate", "frozen_honours", "honour_erratum", "run_honour_objection")


def upgrade() -> None:
    """New tables, and triggers by which the database itself keeps what is frozen; nothing that stands is touched."""
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    schema, prefix = ("publish", "publish.") if on_postgresql else (None, "")

    def entry() -> list[Column]:
        return [
            Column("uscc", Text, primary_key=True),
            Column("honour", Text, primary_key=True),
            Column("place", Integer, nullable=False),
            Column("name", Text, nullable=False),
            Column("district", Text, nullable=False),
            Column("stage", Text, nullable=False),
            Column("reason", Text),
            Column("robust", Boolean),
        ]

    def roll_id(**options: Any) -> Column:
        return Column("roll_id", Integer, sa.ForeignKey(f"{prefix}honour_roll.roll_id"), **options)

    op.create_table(
        "honour_roll",
        Column("roll_id", Integer, primary_key=True),
        Column("year", Integer, nullable=False),
        Column("scheme_id", Text, nullable=False),
        Column("scheme_version", Text, nullable=False),
        Column("generation_id", Integer, nullable=False),
        Column("as_of", Date, nullable=False),
        Column("content_sha", Text, nullable=False),
        Column("proposed_at", Moment, nullable=False),
        Column("proposed_by", Text, nullable=False),
        Column("status", Text, nullable=False),
        Column("notice_until", Date),
        Column("frozen_at", Moment),
        Column("frozen_sha", Text),
        CheckConstraint("status IN ('proposed', 'notice', 'frozen', 'superseded')", name="status"),
        CheckConstraint("status NOT IN ('notice', 'frozen') OR notice_until IS NOT NULL", name="stood_in_public"),
        CheckConstraint(
            "status <> 'frozen' OR (frozen_at IS NOT NULL AND frozen_sha IS NOT NULL)", name="frozen_whole"
        ),
        schema=schema,
        sqlite_autoincrement=True,
    )
    for status in ("notice", "frozen"):
        op.execute(
            f"CREATE UNIQUE INDEX honour_roll_one_{status} ON {prefix}honour_roll (year, scheme_id)"
            f" WHERE status = '{status}'"
        )
    op.create_table("honour_candidate", roll_id(primary_key=True), *entry(), schema=schema)
    op.create_table(
        "frozen_honours",
        Column("year", Integer, primary_key=True),
        Column("scheme_id", Text, primary_key=True),
        *entry(),
        roll_id(nullable=False),
        schema=schema,
    )
    op.create_table(
        "honour_erratum",
        Column("id", Integer, primary_key=True),
        Column("year", Integer, nullable=False),
        Column("scheme_id", Text, nullable=False),
        Column("uscc", Text, nullable=False),
        Column("honour", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("district", Text, nullable=False),
        Column("what", Text, nullable=False),
        Column("reference", Text, nullable=False),
        Column("evidence", Text, nullable=False),
        Column("decided_by", Text, nullable=False),
        Column("decided_at", Moment, nullable=False),
        CheckConstraint("what IN ('withdrawn', 'granted', 'corrected')", name="what"),
        CheckConstraint("evidence <> '' AND decided_by <> '' AND reference <> ''", name="says_who_and_why"),
        schema=schema,
    )
    op.create_table(
        "run_honour_objection",
        Column("id", Integer, primary_key=True),
        roll_id(nullable=False),
        Column("uscc", Text, nullable=False),
        Column("honour", Text, nullable=False),
        Column("settles", Integer, sa.ForeignKey("run_honour_objection.id")),
        Column("outcome", Text),
        Column("evidence", Text, nullable=False),
        Column("decided_by", Text, nullable=False),
        Column("decided_at", Moment, nullable=False),
        CheckConstraint("outcome IN ('upheld', 'dismissed')", name="outcome"),
        CheckConstraint("(settles IS NULL) = (outcome IS NULL)", name="a_settlement_has_an_outcome"),
        CheckConstraint("evidence <> '' AND decided_by <> ''", name="says_who_and_why"),
    )
    op.create_table(
        "run_approval",
        Column("run", Text, primary_key=True),
        Column("about", Text, nullable=False),
        Column("asked_at", Moment, nullable=False),
        Column("answer", Text),
        Column("person", Text),
        Column("reason", Text),
        Column("answered_at", Moment),
        CheckConstraint("(answer IS NULL) = (answered_at IS NULL)", name="an_answer_has_its_moment"),
    )
    op.create_table(
        "run_repull",
        Column("id", Integer, primary_key=True),
        Column("dataset", Text, nullable=False),
        Column("scope", Text, nullable=False),
        Column("as_of", Date, nullable=False),
        Column("outcome", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("before_sha", Text),
        Column("after_sha", Text),
        Column("rejected_by", Text),
        Column("repulled_at", Moment, nullable=False),
        Column("repulled_by", Text, nullable=False),
        CheckConstraint("outcome IN ('replaced', 'same', 'rejected')", name="outcome"),
    )
    if on_postgresql:
        _refuse_on_postgresql()
    else:
        _refuse_on_sqlite()


def _refuse_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION publish.never_changes() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% never changes', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';"
        " END $$"
    )
    call = "EXECUTE FUNCTION publish.never_changes()"
    for table in NEVER_CHANGED:
        where = f"ON {'' if table.startswith('run_') else 'publish.'}{table}"
        op.execute(f"CREATE TRIGGER never_changes BEFORE UPDATE OR DELETE {where} FOR EACH ROW {call}")
        op.execute(f"CREATE TRIGGER never_emptied BEFORE TRUNCATE {where} FOR EACH STATEMENT {call}")
    op.execute(
        "CREATE TRIGGER frozen_stays BEFORE UPDATE OR DELETE ON publish.honour_roll FOR EACH ROW"
        f" WHEN (OLD.status IN ('frozen', 'superseded')) {call}"
    )


def _refuse_on_sqlite() -> None:
    for table in (*NEVER_CHANGED, "honour_roll"):
        when = " WHEN OLD.status IN ('frozen', 'superseded')" if table == "honour_roll" else ""
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table}{when}"
                f" BEGIN SELECT RAISE(ABORT, '{table} never changes'); END"
            )
