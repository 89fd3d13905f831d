"""Releases: who let a blocked landing pass, and why."""

from alembic import op
from sqlalchemy import CheckConstraint, Column, Date, Text

from include.store.warehouse import Moment

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """A table of the ledger; nothing that stands is touched."""
    op.create_table(
        "run_release",
        Column("dataset", Text, primary_key=True),
        Column("scope", Text, primary_key=True),
        Column("as_of", Date, primary_key=True),
        Column("landing_sha", Text, primary_key=True),
        Column("person", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("blocked_by", Text, nullable=False),
        Column("released_at", Moment, nullable=False),
        Column("released_through", Text, nullable=False),
        CheckConstraint("person <> '' AND reason <> ''", name="somebody_for_a_reason"),
    )
