"""Waivers: which quarantined rows a person lets pass, and why."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import JSON, CheckConstraint, Column, Integer, Text

from include.store.warehouse import Moment

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """A table of its own; nothing else changes."""
    op.create_table(
        "run_waiver",
        Column("id", Integer, primary_key=True),
        Column("dataset", Text, nullable=False),
        Column("row", Text, nullable=False),
        Column("checks", JSON, nullable=False),
        Column("revokes", Integer, sa.ForeignKey("run_waiver.id")),
        Column("evidence", Text, nullable=False),
        Column("decided_by", Text, nullable=False),
        Column("decided_at", Moment, nullable=False),
        CheckConstraint("evidence <> '' AND decided_by <> ''", name="says_who_and_why"),
    )
