"""Points per category in their own table, so that every scheme has its categories; the five columns may be NULL."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column, Integer, Text

from include.store.warehouse import ExactDecimal

revision = "0002"
down_revision = "0001"

CATEGORIES = ("foundation", "input", "management", "output", "environment")


def upgrade() -> None:
    """Fill the new table from the columns, then let the columns be NULL."""
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    schema, prefix = ("publish", "publish.") if on_postgresql else (None, "")
    security = " WITH (security_invoker = true)" if on_postgresql else ""

    def view(name: str, columns: list[str]) -> None:
        chosen = ", ".join(f"t.{column}" for column in columns)
        op.execute(
            f"CREATE VIEW {prefix}current_{name}{security} AS SELECT {chosen} "
            f"FROM {prefix}{name} AS t JOIN {prefix}pointer AS p ON p.generation_id = t.generation_id"
        )

    def published(name: str, *columns: Column) -> list[str]:
        generation_id = Column(
            "generation_id", Integer, sa.ForeignKey(f"{prefix}generation.generation_id"), primary_key=True
        )
        table = op.create_table(name, generation_id, *columns, schema=schema, sqlite_with_rowid=False)
        return [column.name for column in table.columns]

    points, fraction = ExactDecimal(12, 3), ExactDecimal(9, 6)
    made = published(
        "category_points",
        Column("uscc", Text, primary_key=True),
        Column("category", Text, primary_key=True),
        Column("points", points, nullable=False),
    )
    view("category_points", made)
    for category in CATEGORIES:
        op.execute(
            f"INSERT INTO {prefix}category_points (generation_id, uscc, category, points) "
            f"SELECT generation_id, uscc, '{category}', {category} FROM {prefix}enterprise_points"
        )

    if on_postgresql:
        for category in CATEGORIES:
            op.alter_column("enterprise_points", category, nullable=True, schema=schema)
        return
    # SQLite cannot take NOT NULL back: the table is made anew and its rows are carried over.
    op.execute("DROP VIEW current_enterprise_points")
    op.execute("ALTER TABLE enterprise_points RENAME TO enterprise_points_0001")
    kept = published(
        "enterprise_points",
        Column("uscc", Text, primary_key=True),
        Column("stage", Text, nullable=False),
        Column("total", points, nullable=False),
        *(Column(category, points) for category in CATEGORIES),
        Column("coverage", fraction, nullable=False),
        Column("total_low", points, nullable=False),
        Column("total_high", points, nullable=False),
        Column("rank_all", Integer, nullable=False),
        Column("rank_stage", Integer, nullable=False),
        Column("rank_district", Integer, nullable=False),
        Column("percentile_stage", fraction),
    )
    op.execute(f"INSERT INTO enterprise_points SELECT {', '.join(kept)} FROM enterprise_points_0001")
    op.execute("DROP TABLE enterprise_points_0001")
    view("enterprise_points", kept)
