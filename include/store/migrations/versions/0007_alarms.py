"""Alarms: what was met, how often, and whether somebody was told."""

from alembic import op
from sqlalchemy import JSON, Column, Date, Integer, Text

from include.store.warehouse import Moment

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """A table of its own; nothing else changes."""
    op.create_table(
        "run_alarm",
        Column("key", Text, primary_key=True),
        Column("as_of", Date, nullable=False),
        Column("title", Text, nullable=False),
        Column("counts", JSON, nullable=False),
        Column("link", Text, nullable=False),
        Column("first_seen", Moment, nullable=False),
        Column("last_seen", Moment, nullable=False),
        Column("times_seen", Integer, nullable=False),
        Column("tries", Integer, nullable=False),
        Column("busy_until", Moment),
        Column("told_at", Moment),
        Column("over_at", Moment),
    )
