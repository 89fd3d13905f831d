"""Roll-backs: who pointed at an earlier generation again, and why."""

from alembic import op
from sqlalchemy import CheckConstraint, Column, Integer, Text

from include.store.warehouse import Moment

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """A table of its own; nothing else changes."""
    op.create_table(
        "run_rollback",
        Column("id", Integer, primary_key=True),
        Column("from_generation", Integer),
        Column("to_generation", Integer, nullable=False),
        Column("reason", Text, nullable=False),
        Column("decided_by", Text, nullable=False),
        Column("decided_at", Moment, nullable=False),
        CheckConstraint("decided_by <> ''", name="says_who"),
    )
