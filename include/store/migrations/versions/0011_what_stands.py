"""A roll knows the days it is to stand in public, and may be rejected; every answer to a form is kept; a frozen year
takes nothing more.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import CheckConstraint, Column, Date, Integer, Text

from include.store.warehouse import Moment

revision = "0011"
down_revision = "0010"

STATUSES = "'proposed', 'notice', 'frozen', 'superseded', 'rejected'"
SETTLED = "OLD.status IN ('frozen', 'superseded', 'rejected')"
FROZEN_YEAR = "SELECT 1 FROM {}honour_roll WHERE year = NEW.year AND scheme_id = NEW.scheme_id AND status = 'frozen'"
KEYS = {
    "honour_roll": ("roll_id",),
    "honour_candidate": ("roll_id", "uscc", "honour"),
    "honour_erratum": ("id",),
    "run_honour_objection": ("id",),
}


def upgrade() -> None:
    """Rolls of before this stood for the seven days of the rule; one that stands in public keeps its approval."""
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    (_rolls_on_postgresql if on_postgresql else _rolls_on_sqlite)()
    _answers()
    prefix = "publish." if on_postgresql else ""
    op.execute(
        "UPDATE run_approval SET about = about || ' for 7 days' WHERE run IN"
        f" (SELECT proposed_by FROM {prefix}honour_roll WHERE status IN ('notice', 'frozen'))"
    )


def _answers() -> None:
    """Asked again, a form has a row more: what was answered before stays written."""
    op.execute("CREATE TABLE run_approval_0008 AS SELECT * FROM run_approval")
    op.drop_table("run_approval")
    op.create_table(
        "run_approval",
        Column("id", Integer, primary_key=True),
        Column("run", Text, nullable=False),
        Column("about", Text, nullable=False),
        Column("asked_at", Moment, nullable=False),
        Column("answer", Text),
        Column("person", Text),
        Column("reason", Text),
        Column("answered_at", Moment),
        CheckConstraint("(answer IS NULL) = (answered_at IS NULL)", name="an_answer_has_its_moment"),
    )
    kept = "run, about, asked_at, answer, person, reason, answered_at"
    op.execute(f"INSERT INTO run_approval ({kept}) SELECT {kept} FROM run_approval_0008 ORDER BY asked_at")
    op.drop_table("run_approval_0008")


def _rolls_on_postgresql() -> None:
    roll = "publish.honour_roll"
    op.execute(f"ALTER TABLE {roll} ADD COLUMN notice_days integer NOT NULL DEFAULT 7")
    op.execute(f"ALTER TABLE {roll} ALTER COLUMN notice_days DROP DEFAULT")
    op.execute(f"ALTER TABLE {roll} DROP CONSTRAINT honour_roll_status_check")
    op.execute(f"ALTER TABLE {roll} ADD CONSTRAINT honour_roll_status_check CHECK (status IN ({STATUSES}))")
    op.execute(f"DROP TRIGGER frozen_stays ON {roll}")
    op.execute(
        f"CREATE TRIGGER frozen_stays BEFORE UPDATE OR DELETE ON {roll} FOR EACH ROW WHEN ({SETTLED})"
        " EXECUTE FUNCTION publish.never_changes()"
    )
    op.execute(
        "CREATE FUNCTION publish.frozen_takes_no_more() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF EXISTS ({FROZEN_YEAR.format('publish.')}) THEN RAISE EXCEPTION '% takes no more', TG_TABLE_NAME"
        " USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER frozen_takes_no_more BEFORE INSERT ON publish.frozen_honours FOR EACH ROW"
        " EXECUTE FUNCTION publish.frozen_takes_no_more()"
    )


def _rolls_on_sqlite() -> None:
    """SQLite adds no status to a CHECK, so the table is made anew; its children miss it only until then."""
    op.execute("PRAGMA defer_foreign_keys = ON")
    op.execute("CREATE TABLE honour_roll_0008 AS SELECT *, 7 FROM honour_roll")
    op.drop_table("honour_roll")
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
        Column("notice_days", Integer, nullable=False),
        CheckConstraint(f"status IN ({STATUSES})", name="status"),
        CheckConstraint("status NOT IN ('notice', 'frozen') OR notice_until IS NOT NULL", name="stood_in_public"),
        CheckConstraint(
            "status <> 'frozen' OR (frozen_at IS NOT NULL AND frozen_sha IS NOT NULL)", name="frozen_whole"
        ),
        sqlite_autoincrement=True,
    )
    op.execute("INSERT INTO honour_roll SELECT * FROM honour_roll_0008")
    op.drop_table("honour_roll_0008")
    for status in ("notice", "frozen"):
        op.create_index(
            f"honour_roll_one_{status}",
            "honour_roll",
            ["year", "scheme_id"],
            unique=True,
            sqlite_where=sa.text(f"status = '{status}'"),
        )
    for verb in ("UPDATE", "DELETE"):
        _refuse(f"honour_roll_no_{verb.lower()}", verb, "honour_roll", SETTLED)
    _refuse("frozen_honours_no_insert", "INSERT", "frozen_honours", f"EXISTS ({FROZEN_YEAR.format('')})")
    for table, key in KEYS.items():  # `INSERT OR REPLACE` deletes without a trigger
        same = " AND ".join(f"{name} = NEW.{name}" for name in key)
        _refuse(f"{table}_no_replace", "INSERT", table, f"EXISTS (SELECT 1 FROM {table} WHERE {same})")


def _refuse(name: str, verb: str, table: str, when: str) -> None:
    op.execute(
        f"CREATE TRIGGER {name} BEFORE {verb} ON {table} WHEN {when}"
        f" BEGIN SELECT RAISE(ABORT, '{table} never changes'); END"
    )
