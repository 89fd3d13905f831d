"""What people decide about names and codes that equality leaves open."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import CheckConstraint, Column, Integer, Text

from include.store.warehouse import Moment

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """A table of its own; nothing else changes."""
    op.create_table(
        "run_name_decision",
        Column("id", Integer, primary_key=True),
        Column("dataset", Text, nullable=False),
        Column("code", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("uscc", Text),
        Column("revokes", Integer, sa.ForeignKey("run_name_decision.id")),
        Column("evidence", Text, nullable=False),
        Column("decided_by", Text, nullable=False),
        Column("decided_at", Moment, nullable=False),
        CheckConstraint("evidence <> '' AND decided_by <> ''", name="says_who_and_why"),
        CheckConstraint("revokes IS NULL OR uscc IS NULL", name="a_revocation_links_nobody"),
    )
