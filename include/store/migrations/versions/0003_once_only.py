"""Once only, in full: per indicator, each gap with its reason, the reasons counted, and the fields nobody fills in."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import CheckConstraint, Column, Date, Integer, Text

from include.store.warehouse import ExactDecimal

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """New tables beside `once_only`, each with its view; older generations have no rows in them."""
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    schema, prefix = ("publish", "publish.") if on_postgresql else (None, "")
    security = " WITH (security_invoker = true)" if on_postgresql else ""
    fraction = ExactDecimal(9, 6)

    def published(name: str, *columns: Column | CheckConstraint) -> None:
        generation_id = Column(
            "generation_id", Integer, sa.ForeignKey(f"{prefix}generation.generation_id"), primary_key=True
        )
        table = op.create_table(name, generation_id, *columns, schema=schema, sqlite_with_rowid=False)
        chosen = ", ".join(f"t.{column.name}" for column in table.columns)
        op.execute(
            f"CREATE VIEW {prefix}current_{name}{security} AS SELECT {chosen} "
            f"FROM {prefix}{name} AS t JOIN {prefix}pointer AS p ON p.generation_id = t.generation_id"
        )

    published(
        "once_only_indicator",
        Column("indicator", Text, primary_key=True),
        Column("applicable_pairs", Integer, nullable=False),
        Column("from_records_pairs", Integer, nullable=False),
        Column("share", fraction),
        Column("weighted_share", fraction),
    )
    published(
        "once_only_gap",
        Column("uscc", Text, primary_key=True),
        Column("indicator", Text, primary_key=True),
        Column("reason", Text, nullable=False),
        Column("datasets", Text, nullable=False),
    )
    published(
        "once_only_reason",
        Column("district", Text, primary_key=True),
        Column("indicator", Text, primary_key=True),
        Column("reason", Text, primary_key=True),
        Column("pairs", Integer, nullable=False),
    )
    published(
        "fields_saved",
        Column("district", Text, primary_key=True),
        Column("form_from", Date, nullable=False),
        Column("enterprises", Integer, nullable=False),
        Column("fields_asked", Integer, nullable=False),
        Column("fields_saved", Integer, nullable=False),
        Column("share", fraction, nullable=False),
        CheckConstraint("fields_saved <= fields_asked", name="no_more_saved_than_asked"),
    )
