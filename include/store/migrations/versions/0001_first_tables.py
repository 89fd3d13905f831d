"""The first tables: generations with their pointer and views, and the ledger of runs."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import JSON, Boolean, CheckConstraint, Column, Date, Integer, Text

from include.store.warehouse import ExactDecimal, Moment

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create everything; on PostgreSQL the published tables go to schema `publish`."""
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    schema, prefix = ("publish", "publish.") if on_postgresql else (None, "")
    if on_postgresql:
        op.execute("CREATE SCHEMA IF NOT EXISTS publish")
    points, fine, fraction, money = ExactDecimal(12, 3), ExactDecimal(24, 6), ExactDecimal(9, 6), ExactDecimal(18, 2)

    def generation_id(**options: Any) -> Column:
        return Column("generation_id", Integer, sa.ForeignKey(f"{prefix}generation.generation_id"), **options)

    generation = op.create_table(
        "generation",
        Column("generation_id", Integer, primary_key=True),
        Column("as_of", Date, nullable=False),
        Column("scheme_id", Text, nullable=False),
        Column("scheme_version", Text, nullable=False),
        Column("snapshot_set", Text, nullable=False),
        Column("created_at", Moment, nullable=False),
        Column("published_at", Moment),
        Column("status", Text, nullable=False),
        Column("reason", Text),
        CheckConstraint("status IN ('current', 'superseded', 'blocked', 'rolled_back')", name="status"),
        schema=schema,
        sqlite_autoincrement=True,
    )
    op.create_table(
        "pointer",
        Column("id", Integer, primary_key=True, autoincrement=False),
        generation_id(),
        Column("version", Integer, nullable=False),
        CheckConstraint("id = 1", name="single_row"),
        schema=schema,
    )
    op.execute(f"INSERT INTO {prefix}pointer (id, generation_id, version) VALUES (1, NULL, 0)")

    def published(name: str, *columns: Column | CheckConstraint) -> sa.Table:
        return op.create_table(name, generation_id(primary_key=True), *columns, schema=schema, sqlite_with_rowid=False)

    with_views = [
        generation,
        published(
            "enterprise_profile",
            Column("uscc", Text, primary_key=True),
            Column("name", Text, nullable=False),
            Column("district", Text, nullable=False),
            Column("industry_code", Text),
            Column("established_on", Date),
            Column("stage", Text, nullable=False),
            Column("stage_reason", Text),
        ),
        published(
            "enterprise_points",
            Column("uscc", Text, primary_key=True),
            Column("stage", Text, nullable=False),
            Column("total", points, nullable=False),
            Column("foundation", points, nullable=False),
            Column("input", points, nullable=False),
            Column("management", points, nullable=False),
            Column("output", points, nullable=False),
            Column("environment", points, nullable=False),
            Column("coverage", fraction, nullable=False),
            Column("total_low", points, nullable=False),
            Column("total_high", points, nullable=False),
            Column("rank_all", Integer, nullable=False),
            Column("rank_stage", Integer, nullable=False),
            Column("rank_district", Integer, nullable=False),
            Column("percentile_stage", fraction),
        ),
        published(
            "points_ledger",
            Column("uscc", Text, primary_key=True),
            Column("indicator", Text, primary_key=True),
            Column("category", Text, nullable=False),
            Column("value", fine),
            Column("status", Text, nullable=False),
            Column("segment", Integer),
            Column("raw_points", points),
            Column("weight", points, nullable=False),
            Column("points", points, nullable=False),
        ),
        published(
            "honours",
            Column("uscc", Text, primary_key=True),
            Column("honour", Text, primary_key=True),
            Column("place", Integer, nullable=False),
            Column("reason", Text),
            Column("robust", Boolean),
        ),
        published(
            "project_recommendation",
            Column("uscc", Text, primary_key=True),
            Column("programme", Text, primary_key=True),
            Column("place", Integer, nullable=False),
            Column("reason", Text),
        ),
        published(
            "credit_list",
            Column("uscc", Text, primary_key=True),
            Column("product", Text, primary_key=True),
            Column("entry_reason", Text),
            Column("suggested_limit_yuan", money),
            Column("stage_percentile", fraction),
        ),
        published(
            "ladder",
            Column("uscc", Text, primary_key=True),
            Column("rung", Text, primary_key=True),
            Column("holds", Boolean, nullable=False),
            Column("eligible", Boolean, nullable=False),
            Column("failed_conditions", JSON),
        ),
        published(
            "stage_distribution",
            Column("district", Text, primary_key=True),
            Column("stage", Text, primary_key=True),
            Column("enterprises", Integer, nullable=False),
            Column("share", fraction, nullable=False),
        ),
        published(
            "source_quality",
            Column("dataset", Text, primary_key=True),
            Column("scope", Text, primary_key=True),
            Column("as_of", Date, nullable=False),
            Column("rows_in", Integer, nullable=False),
            Column("duplicates", Integer, nullable=False),
            Column("accepted", Integer, nullable=False),
            Column("quarantined", Integer, nullable=False),
            Column("accepted_share", fraction),
            Column("snapshot_age_days", Integer, nullable=False),
            Column("verdict", Text, nullable=False),
            CheckConstraint("rows_in = duplicates + accepted + quarantined", name="every_row_is_somewhere"),
        ),
        published(
            "once_only",
            Column("district", Text, primary_key=True),
            Column("applicable_pairs", Integer, nullable=False),
            Column("from_records_pairs", Integer, nullable=False),
            Column("share", fraction),
            Column("weighted_share", fraction),
        ),
    ]
    # A reader sees through a view only what the reader may see of the table, so that row security holds.
    security = " WITH (security_invoker = true)" if on_postgresql else ""
    for table in with_views:
        columns = ", ".join(f"t.{column.name}" for column in table.columns)
        op.execute(
            f"CREATE VIEW {prefix}current_{table.name}{security} AS SELECT {columns} "
            f"FROM {prefix}{table.name} AS t JOIN {prefix}pointer AS p ON p.generation_id = t.generation_id"
        )

    op.create_table(
        "run_lease",
        Column("name", Text, primary_key=True),
        Column("holder", Text, nullable=False),
        Column("token", Integer, nullable=False),
        Column("expires_at", Moment, nullable=False),
    )
    op.create_table(
        "run_snapshot",
        Column("dataset", Text, primary_key=True),
        Column("scope", Text, primary_key=True),
        Column("as_of", Date, primary_key=True),
        Column("contract_version", Integer, nullable=False),
        Column("declared", Integer),
        Column("received", Integer, nullable=False),
        Column("landing_sha", Text, nullable=False),
        Column("landed_at", Moment, nullable=False),
        Column("landed_by", Text, nullable=False),
        Column("verdict", Text),
        Column("rows_in", Integer),
        Column("duplicates", Integer),
        Column("accepted", Integer),
        Column("quarantined", Integer),
        Column("reason", Text),
        Column("checks", JSON),
        Column("accepted_sha", Text),
        Column("judged_at", Moment),
        Column("judged_by", Text),
        CheckConstraint("verdict IN ('accepted', 'rejected')", name="verdict"),
        CheckConstraint("rows_in = duplicates + accepted + quarantined", name="every_row_is_somewhere"),
        CheckConstraint("rows_in = received", name="all_that_landed_is_judged"),
        CheckConstraint(
            "verdict IS NULL OR (rows_in IS NOT NULL AND duplicates IS NOT NULL AND accepted IS NOT NULL"
            " AND quarantined IS NOT NULL)",
            name="a_verdict_has_counts",
        ),
        CheckConstraint("verdict <> 'accepted' OR accepted_sha IS NOT NULL", name="accepted_names_its_snapshot"),
    )
    op.create_table("run_snapshot_set", Column("id", Text, primary_key=True), Column("members", JSON, nullable=False))
    op.create_table(
        "run_result",
        Column("as_of", Date, primary_key=True),
        Column("district", Text, primary_key=True),
        Column("scheme", Text, primary_key=True),
        Column("snapshot_set", Text, sa.ForeignKey("run_snapshot_set.id"), nullable=False),
        Column("enterprises", Integer, nullable=False),
        Column("points_sha", Text, nullable=False),
        Column("scored_at", Moment, nullable=False),
        Column("scored_by", Text, nullable=False),
    )
    op.create_table(
        "run_publication",
        Column("generation_id", Integer, primary_key=True, autoincrement=False),
        Column("as_of", Date, nullable=False),
        Column("scheme", Text, nullable=False),
        Column("snapshot_set", Text, sa.ForeignKey("run_snapshot_set.id"), nullable=False),
        Column("content_sha", Text, nullable=False),
        Column("published_by", Text, nullable=False),
        Column("covers_until", Moment, nullable=False),
    )
